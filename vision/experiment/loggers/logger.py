"""What every logger has: figures of a step, and an end. One that fails is named, and the run goes on.

To add one, write a class with these two methods in a file of its own, and its line in `LOGGERS`.
"""

import math
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol, TypeGuard, TypeVar

from vision import results
from vision.config import RunConfig, TrainingConfig
from vision.dynamic import JsonObject

FOLDER = "loggers"  # below output_dir
# The package that each needs, and its class.
LOGGERS = {
    "tensorboard": ("tensorboard", "TensorBoard"),
    "mlflow": ("mlflow", "MLflow"),
    "wandb": ("wandb", "WeightsAndBiases"),
}

Result = TypeVar("Result")


class RunName(NamedTuple):
    """How a logger calls a run, and where it writes.

    Attributes:
        folder: of this logger, below output_dir.
        sweep: name of the sweep.
        run: LABEL/nTRAIN_SIZE/sSEED.
        settings: those that identify the run, by dotted name.
    """

    folder: Path
    sweep: str
    run: str
    settings: JsonObject


class Logger(Protocol):
    """A logger of one run."""

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Keep the figures of a step."""
        ...

    def finish(self) -> None:
        """End the run, whether it finished or failed."""
        ...


class Loggers:
    """The loggers of a run, together. One that raises an error is left out from then on, with a warning."""

    def __init__(self, names: Sequence[str], config: RunConfig) -> None:
        self._open: dict[str, Logger] = {}
        for name in names:
            if (logger := self._attempt(name, lambda name=name: _create(name, config))) is not None:
                self._open[name] = logger

    def log(self, step: int, figures: Mapping[str, object]) -> None:
        """Keep those figures of a step that are finite numbers."""
        numbers = {name: float(value) for name, value in figures.items() if _is_number(value)}
        for name, logger in list(self._open.items()):
            self._attempt(name, lambda logger=logger: logger.log(step, numbers))

    def finish(self) -> None:
        """End the run."""
        for name, logger in list(self._open.items()):
            self._attempt(name, logger.finish)

    def _attempt(self, name: str, call: Callable[[], Result]) -> Result | None:
        try:
            return call()
        except Exception as error:  # a run is not lost because a logger fails
            self._open.pop(name, None)
            warnings.warn(
                f"training.loggers: {name} failed and gets no more figures of this run: "
                f"{type(error).__name__}: {error}",
                stacklevel=3,
            )


@contextmanager
def open_loggers(config: RunConfig) -> Generator[Loggers]:
    """Open the loggers of a run, and finish them at the end of the block."""
    loggers = Loggers(config.training.loggers, config)
    try:
        yield loggers
    finally:
        loggers.finish()


def check_loggers(config: TrainingConfig) -> None:
    """Raise a ValueError that names a logger which is unknown, or whose package is missing."""
    for name in config.loggers:
        if name not in LOGGERS:
            raise ValueError(f"training.loggers must be some of {', '.join(LOGGERS)}, got {name!r}")
        package = LOGGERS[name][0]
        if find_spec(package) is None:
            raise ValueError(
                f"training.loggers={name} needs the package {package}: pip install 'vit-vs-cnn[{name}]'"
            )


def _create(name: str, config: RunConfig) -> Logger:
    module = import_module(f"vision.experiment.loggers.{name}_logger")
    run = "/".join(results.run_folder(config).parts[-3:])
    folder = Path(config.output_dir).absolute() / FOLDER / name
    return getattr(module, LOGGERS[name][1])(RunName(folder, config.sweep, run, results.settings(config)))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
