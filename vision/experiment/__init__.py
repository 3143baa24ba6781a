"""One run, from its config to its folder.

>>> result = run(config)  # doctest: +SKIP
>>> result["test_accuracy"], result["folder"]  # doctest: +SKIP
(0.93, 'outputs/runs/ViT/n500/s0')
"""

from vision.experiment.model import build_model as build_model
from vision.experiment.model import find_start as find_start
from vision.experiment.model import folder_size as folder_size
from vision.experiment.model import model_arguments as model_arguments
from vision.experiment.own_functions import OwnMetrics as OwnMetrics
from vision.experiment.settings_check import check_run as check_run
from vision.experiment.single_run import run as run
from vision.experiment.train import ProgressCallback as ProgressCallback
from vision.experiment.train import require_validation as require_validation
