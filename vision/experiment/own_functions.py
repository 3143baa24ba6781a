"""The metrics and callbacks of the user's own, which the settings of the training name."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import SupportsFloat

from torch import Tensor, nn

from vision.config import TrainingConfig, import_named
from vision.dynamic import JsonObject

Metric = Callable[[Tensor, Tensor], float]
Callback = Callable[[nn.Module, JsonObject, Path], object]


class OwnMetrics:
    """Functions (N, K), (N,) -> number of the logits and the labels, by name.

    Raises:
        ValueError: one cannot be imported, or two have one name.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self._metrics: dict[str, Metric] = {}
        for reference in config.metrics:
            metric, name = import_named("training.metrics", reference), reference.rpartition(":")[2]
            if name in self._metrics:
                raise ValueError(f"training.metrics must have different names, got {name!r} twice")
            self._metrics[name] = metric

    def __call__(self, logits: Tensor, labels: Tensor) -> dict[str, float]:
        """Return each metric of the logits (N, K) and the labels (N,), both on the CPU.

        Raises:
            ValueError: a metric is not a finite number.
        """
        return {name: _number(name, metric(logits, labels)) for name, metric in self._metrics.items()}


def own_callbacks(config: TrainingConfig) -> Sequence[Callback]:
    """Return the callbacks.

    Raises:
        ValueError: one cannot be imported.
    """
    return [import_named("training.callbacks", reference) for reference in config.callbacks]


def _number(name: str, value: SupportsFloat) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"training.metrics: {name} must return a number, got {type(value).__name__}: {error}"
        ) from error
    if not math.isfinite(number):
        raise ValueError(f"training.metrics: {name} must return a finite number, got {number}")
    return number
