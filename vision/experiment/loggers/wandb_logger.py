"""Weights & Biases: offline below output_dir unless WANDB_MODE is set; `wandb sync` uploads it."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from vision.experiment.loggers.logger import RunName


class WeightsAndBiases:
    """Makes a run in the project of the sweep's name."""

    def __init__(self, name: RunName) -> None:
        wandb = cast(Any, import_module("wandb"))
        name.folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=name.sweep,
            name=name.run,
            config=name.settings,
            dir=str(name.folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(silent=True),
        )

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Log the figures of a step."""
        self._run.log(dict(figures), step=step)

    def finish(self) -> None:
        """End the run."""
        self._run.finish()
