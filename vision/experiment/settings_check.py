"""The checks of a run's settings that need no data."""

import json
from functools import lru_cache

from vision.config import RunConfig, check, import_named
from vision.models import check_name, check_size


def check_run(config: RunConfig) -> None:
    """Raise a ValueError that names the first wrong setting that can be found without the data."""
    check(config)
    import_named("model.module", config.model.module)
    check_name(config.model.name)
    if from_data := {"img_size", "in_chans", "num_classes"} & config.model.kwargs.keys():
        raise ValueError(
            f"model.kwargs must not set {', '.join(sorted(from_data))}, which come from the data"
        )
    if config.data.img_size is not None:
        _check_size(config.model.name, config.data.img_size, json.dumps(config.model.kwargs, default=repr))


@lru_cache(maxsize=256)
def _check_size(name: str, img_size: int, kwargs: str) -> None:
    check_size(name, img_size, json.loads(kwargs))
