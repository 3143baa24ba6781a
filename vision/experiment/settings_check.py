"""The checks of a run's settings that need no data."""

import json
from functools import lru_cache

from vision.config import (
    RunConfig,
    TrainingConfig,
    check,
    import_module,
    import_named,
    this_process_of_run,
)
from vision.dynamic import Arguments
from vision.experiment.loggers import check_loggers
from vision.experiment.own_functions import OwnMetrics, own_callbacks
from vision.models import check_name, check_size


def check_run(config: RunConfig) -> None:
    """Raise a ValueError that names the first wrong setting that can be found without the data."""
    check(config)
    check_loggers(config.training)
    _check_processes(config.training)
    import_module("model.module", config.model.module)
    OwnMetrics(config.training)
    own_callbacks(config.training)
    _import_fields(config.model.kwargs)
    check_name(config.model.name)
    if from_data := {"img_size", "in_chans", "num_classes"} & config.model.kwargs.keys():
        raise ValueError(
            f"model.kwargs must not set {', '.join(sorted(from_data))}, which come from the data"
        )
    if config.data.img_size is not None:
        _check_size(config.model.name, config.data.img_size, json.dumps(config.model.kwargs, default=repr))


def _import_fields(kwargs: Arguments) -> None:
    """Import the modules of fields that the model's options name; the model itself imports nothing."""
    for options in ("mixer_options", "alternate_options"):
        chosen: Arguments = kwargs.get(options) or {}
        field = chosen.get("field")
        if isinstance(field, str) and ":" in field:
            import_named(f"model.kwargs.{options}.field", field)


@lru_cache(maxsize=256)
def _check_size(name: str, img_size: int, kwargs: str) -> None:
    check_size(name, img_size, json.loads(kwargs))


def _check_processes(training: TrainingConfig) -> None:
    count, size = this_process_of_run().count, training.batch_size
    if size % count:
        raise ValueError(
            f"training.batch_size must be a multiple of the number of processes, {count}, got {size}"
        )
    if training.accumulation_steps > size // count:
        raise ValueError(
            f"training.accumulation_steps must be at most {size // count}, the images of a batch on each of "
            f"{count} processes, got {training.accumulation_steps}"
        )
