"""The checks of all settings of a run that need no data."""

import os
from dataclasses import asdict

from vision.config.data_checks import check_data
from vision.config.model_checks import check_model
from vision.config.requirements import require_storable
from vision.config.run import RunConfig
from vision.config.training_checks import check_training


def check(config: RunConfig) -> None:
    """Raise a ValueError that names the first setting out of range."""
    for name, part in (("data", config.data), ("model", config.model), ("training", config.training)):
        require_storable(name, asdict(part))
    _check_sweep(config.sweep, config.output_dir)
    check_model(config.model)
    check_training(config.training)
    check_data(config.data)
    _check_patience(config)
    _check_seed("seed", config.seed)
    _check_seed("data.subset_seed", config.data.subset_seed)


def _check_sweep(sweep: str, output_dir: str) -> None:
    inside = os.path.normpath(os.path.join(output_dir, sweep))
    first = os.path.relpath(inside, output_dir).split(os.sep)[0]
    if not sweep or first in (os.curdir, os.pardir):
        raise ValueError(f"sweep must be the name of a folder below output_dir={output_dir}, got {sweep!r}")


def _check_patience(config: RunConfig) -> None:
    patience = config.training.patience
    if patience is not None and not config.data.val_fraction:
        raise ValueError(f"training.patience={patience} needs validation images, got data.val_fraction=0")


def _check_seed(name: str, seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise ValueError(f"{name} must be from 0 to {2**32 - 1}, got {seed}")
