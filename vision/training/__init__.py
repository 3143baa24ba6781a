"""Train a model for a number of steps, and score it. Nothing here knows files or names of models."""

from typing import TYPE_CHECKING

from vision._old_names import old_names
from vision.training.budget import budget_steps as budget_steps
from vision.training.devices import resolve_device as resolve_device
from vision.training.devices import resolve_memory_format as resolve_memory_format
from vision.training.devices import resolve_precision as resolve_precision
from vision.training.evaluation import Scores as Scores
from vision.training.evaluation import evaluate as evaluate
from vision.training.freeze import frozen_backbone as frozen_backbone
from vision.training.loop import TrainingResult as TrainingResult
from vision.training.loop import fit as fit
from vision.training.optimization import create_optimizer as create_optimizer
from vision.training.optimization import create_schedule as create_schedule
from vision.training.processes import from_first as from_first
from vision.training.processes import process_group as process_group
from vision.training.processes import share_batch_norms as share_batch_norms
from vision.training.resumable import Batch as Batch
from vision.training.resumable import NonFiniteLoss as NonFiniteLoss
from vision.training.resumable import Training as Training
from vision.training.step import Step as Step
from vision.training.trial import smallest_part as smallest_part
from vision.training.trial import try_model as try_model
from vision.training.trial import try_recipe as try_recipe

if not TYPE_CHECKING:
    __getattr__ = old_names(__name__, {"Trained": "vision.training.TrainingResult"})
