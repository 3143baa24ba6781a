"""TensorBoard: `tensorboard --logdir outputs/loggers/tensorboard`."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from vision.experiment.loggers.logger import RunName


class TensorBoard:
    """Writes event files into a folder for each run."""

    def __init__(self, name: RunName) -> None:
        writer = cast(Any, import_module("torch.utils.tensorboard")).SummaryWriter
        self._writer = writer(str(name.folder / name.sweep / name.run))
        lines = "\n".join(f"    {key}: {value}" for key, value in name.settings.items())
        self._writer.add_text("settings", lines)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Write the figures of a step, so that TensorBoard shows them at once."""
        for key, value in figures.items():
            self._writer.add_scalar(key, value, step)
        self._writer.flush()

    def finish(self) -> None:
        """Close the file."""
        self._writer.close()
