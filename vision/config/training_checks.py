"""The checks of the settings of the training."""

from vision.config.requirements import require_choice
from vision.config.training import TrainingConfig

PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda", "mps")
CUDA_GRAPH = ("auto", "never")
MEMORY_FORMATS = ("auto", "contiguous", "channels_last")
OUT_OF_MEMORY = ("fail", "halve")
SCHEDULES = ("cosine", "constant", "multistep", "step", "poly", "tanh", "wsd", "rsqrt")


def check_training(training: TrainingConfig) -> None:
    """Raise a ValueError that names the first wrong setting of the training; see also `check_bounds`."""
    _check_budget(training)
    _check_choices(training)
    _check_least_rate(training)
    if training.accumulation_steps > training.batch_size:
        raise ValueError(
            f"training.accumulation_steps={training.accumulation_steps} parts need at least as many images "
            f"per batch, got training.batch_size={training.batch_size}"
        )


def _check_budget(training: TrainingConfig) -> None:
    if (training.steps is None) == (training.epochs is None):
        raise ValueError(
            "give the budget as training.steps or as training.epochs and set the other to null, "
            f"got training.steps={training.steps}, training.epochs={training.epochs}"
        )
    if training.min_steps is not None and training.epochs is None:
        raise ValueError(
            f"training.min_steps={training.min_steps} belongs to a budget in epochs; set it to null, "
            "or give training.epochs and set training.steps to null"
        )


def _check_least_rate(training: TrainingConfig) -> None:
    least = training.schedule_options.get("min_lr")
    if isinstance(least, int | float) and not 0 <= least <= training.lr:
        raise ValueError(
            f"training.schedule_options.min_lr must be from 0 to training.lr={training.lr}, got {least}"
        )


def _check_choices(training: TrainingConfig) -> None:
    require_choice("training.precision", training.precision, PRECISIONS)
    require_choice("training.device", training.device, DEVICES)
    require_choice("training.cuda_graph", training.cuda_graph, CUDA_GRAPH)
    require_choice("training.memory_format", training.memory_format, MEMORY_FORMATS)
    require_choice("training.out_of_memory", training.out_of_memory, OUT_OF_MEMORY)
    require_choice("training.schedule", training.schedule, SCHEDULES)
