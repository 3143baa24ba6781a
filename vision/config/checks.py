"""The checks of all settings of a run that need no data."""

import os
import unicodedata
from dataclasses import asdict
from operator import attrgetter

from vision.argument_types import check_type
from vision.config.bounds import check_bounds
from vision.config.data_checks import check_data
from vision.config.dotted import flatten
from vision.config.model_checks import check_model
from vision.config.requirements import require_storable
from vision.config.run import RunConfig
from vision.config.setting_types import setting_types
from vision.config.training_checks import check_training

MAX_NAME_BYTES = 255


def check(config: RunConfig) -> None:
    """Raise a ValueError that names the first wrong setting."""
    check_type("config", config, RunConfig)
    for name, hint in sorted(setting_types(), key=lambda setting: setting[0].count(".")):  # parts first
        check_type(name, attrgetter(name)(config), hint)
    settings = asdict(config)
    for name in ("data", "model", "training"):
        require_storable(name, settings[name])
    check_bounds(dict(flatten(settings)))
    _check_sizes(config)
    for name in ("output_dir", "sweep"):
        _check_path(name, settings[name])
    _check_path("model.label", config.model.label or config.model.name)
    if "://" in config.output_dir:
        raise ValueError(f"output_dir must be a folder of a file system here, got {config.output_dir!r}")
    _check_sweep(config.sweep, config.output_dir)
    check_model(config.model)
    check_training(config.training)
    check_data(config.data)
    _check_patience(config)


def _check_path(name: str, path: str) -> None:
    if not path or any(unicodedata.category(character) == "Cc" for character in path):
        raise ValueError(f"{name} must be a name without control characters, got {path!r}")
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in path.split(os.sep)):
        raise ValueError(
            f"{name} must be a name of at most {MAX_NAME_BYTES} bytes, as folders have, got {path:.20}..."
        )


def _check_sweep(sweep: str, output_dir: str) -> None:
    inside = os.path.normpath(os.path.join(output_dir, sweep))
    first = os.path.relpath(inside, output_dir).split(os.sep)[0]
    if not sweep or first in (os.curdir, os.pardir):
        raise ValueError(f"sweep must be the name of a folder below output_dir={output_dir}, got {sweep!r}")


def _check_patience(config: RunConfig) -> None:
    patience = config.training.patience
    if patience is not None and not config.data.val_fraction:
        raise ValueError(f"training.patience={patience} needs validation images, got data.val_fraction=0")


def _check_sizes(config: RunConfig) -> None:
    """Refuse what cannot be a size; which sizes there are depends on the data."""
    if isinstance(config.train_size, bool) or not isinstance(config.train_size, str | int | float):
        raise ValueError(f"train_size must be a number of images, or all, got {config.train_size!r}")
    sizes = config.data.train_sizes
    if not all(size.strip() == "all" or size.strip().isdecimal() for size in sizes.split(",")):
        raise ValueError(f"data.train_sizes must be numbers such as '100,1000', or all, got {sizes!r}")
