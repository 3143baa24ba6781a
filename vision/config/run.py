"""All settings of one run."""

from dataclasses import dataclass, field
from typing import Any

from vision.config.data import DataConfig
from vision.config.keywords import settings
from vision.config.model import ModelConfig
from vision.config.training import TrainingConfig


@settings("")
@dataclass(kw_only=True, slots=True)
class RunConfig:
    """One run: one model, one data set, one training-set size, one seed.

    Attributes:
        data: the images.
        model: the model.
        training: the recipe.
        train_size: images of the training subset; an integer or "all". All are trained on, but for the
            validation images that data.val_from=subset takes from them.
        seed: seed of initial weights, batches and augmentation.
        sweep: name of the folder below `output_dir` that gathers runs to be compared.
        output_dir: folder of all results.
        save_logits: keep the logits of the test images, 2 bytes for each image and class.
        retry_failed: run failed and damaged runs again; otherwise they stay as they are.
    """

    data: DataConfig
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    train_size: Any = "all"
    seed: int = 0
    sweep: str = "runs"
    output_dir: str = "outputs"
    save_logits: bool = True
    retry_failed: bool = False

    def __post_init__(self) -> None:
        # One spelling per size: 500, "500" and 500.0 are one run in one folder.
        size = self.train_size
        is_digits = isinstance(size, str) and size.strip().isdecimal()
        if is_digits or (isinstance(size, float) and size.is_integer()):
            self.train_size = int(size)
