"""A scaling law with fitted parameters: what it predicts, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vision.statistics.holdout import predicts
from vision.statistics.intervals import percentile_interval
from vision.statistics.laws import LAWS

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """A law fitted to the mean error at each size.

    Attributes:
        label: Name of the model.
        law: power, floor or broken; see `vision.statistics.laws.LAWS`.
        parameters: Values by name.
        low: Lower ends of their 95% intervals, empty where a size has one run. 0 or -inf where the sizes do
            not bound it.
        high: Upper ends of these intervals; inf where the sizes do not bound it.
        holdout_error: Relative error at the largest size when it is predicted from the others, for each law
            with enough sizes.
        sizes: Training-set sizes.
        runs: Smallest number of runs at a size.
        holdout_p: p value of each of these predictions: whether it misses by more than chance. NaN where a
            size has one run, and of other laws than one that was asked for.
    """

    label: str
    law: str
    parameters: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    holdout_error: dict[str, float]
    sizes: tuple[int, ...]
    runs: int
    holdout_p: dict[str, float]
    _values: np.ndarray = field(repr=False, compare=False)
    _drawn: np.ndarray | None = field(repr=False, compare=False)

    def __str__(self) -> str:
        """Return the model, its formula, and the parameters with their intervals."""
        return f"{self.label}: error {LAWS[self.law].formula}, {self.values_text}"

    @property
    def fits(self) -> bool:
        """Whether the law predicts the largest size up to chance; also if too few sizes can test that."""
        return self.law not in self.holdout_error or predicts(
            self.holdout_error[self.law], self.holdout_p[self.law]
        )

    @property
    def values_text(self) -> str:
        """The parameters with their intervals, such as "a = 0.9 (0.8 to 1)"."""
        return ", ".join(
            f"{name} = {_text(value)}"
            + (f" ({_text(self.low[name])} to {_text(self.high[name])})" if self.low else "")
            for name, value in self.parameters.items()
        )

    def predict(self, sizes: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the error in [0, 1] at training-set sizes: (N,) -> (N,)."""
        return np.exp(LAWS[self.law].log_error(logs(sizes), self._values))

    def band(self, sizes: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95% interval of the error under this law: (N,) -> two of (N,).

        NaN where a size has one run. Outside the sizes of the fit it relies on the law.
        """
        if self._drawn is None:
            nothing = np.full(len(logs(sizes)), np.nan)
            return nothing, nothing
        low, high = np.exp(percentile_interval(LAWS[self.law].log_error(logs(sizes), self._drawn.T)))
        return low, high


def _text(value: float) -> str:
    """Return a parameter with three digits; 0 where it is rounding, as the slope of equal errors is."""
    return f"{0.0 if abs(value) < ROUNDING else value:.3g}"


def logs(sizes: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the logarithms of sizes: (N,) -> (N,)."""
    return np.log(np.atleast_1d(np.asarray(sizes, dtype=float)))
