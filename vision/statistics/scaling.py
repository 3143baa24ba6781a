"""Scaling laws of the error over training-set size, chosen by how they foretell the largest size.

>>> print(scaling_fit(records, "CNN"))  # doctest: +SKIP
CNN: error a n^-b, a = 1.49 (1.43 to 1.56), b = 0.2 (0.194 to 0.205); foretells 10,000 images within 0.6% ...
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from vision.statistics.intervals import middle
from vision.statistics.laws import LAWS, Law, fit_law, fit_many
from vision.statistics.records import runs_of
from vision.statistics.resampling import by_seed, redraw_means

DRAWS = 1000
FEWEST = 3
# A law with fewer parameters is taken if it foretells nearly as well as the best, or nearly exactly.
AS_GOOD, EXACT, NOISE = 1.1, 1e-3, 2.0


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """A law fitted to the mean error at each size.

    Attributes:
        label: of the model.
        law: power, floor or broken; see `vision.statistics.laws.LAWS`.
        parameters: by name, with 95% intervals in `low` and `high`, which are empty where a size has one run.
            An end that the sizes leave open is infinite, of a, c and n0 the lower one 0.
        foretold: for each law that has sizes enough, how far off its error at the largest size is, foretold
            from the others, as a share of it.
        sizes: training-set sizes.
        runs: the fewest at one size.
    """

    label: str
    law: str
    parameters: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    foretold: dict[str, float]
    sizes: tuple[int, ...]
    runs: int
    _values: np.ndarray = field(repr=False, compare=False)
    _drawn: np.ndarray | None = field(repr=False, compare=False)

    def predict(self, sizes: Any) -> np.ndarray:
        """Training-set sizes (N,) -> error in [0, 1] (N,)."""
        return np.exp(LAWS[self.law].log_error(_logs(sizes), self._values))

    def band(self, sizes: Any) -> tuple[np.ndarray, np.ndarray]:
        """Training-set sizes (N,) -> low and high (N,), the 95% interval of the error under this law.

        NaN where a size has one run. Beyond the sizes it is worth as much as the law is.
        """
        if self._drawn is None:
            nothing = np.full(len(_logs(sizes)), np.nan)
            return nothing, nothing
        low, high = np.exp(middle(LAWS[self.law].log_error(_logs(sizes), self._drawn.T)))
        return low, high

    def __str__(self) -> str:
        """The law, its parameters with intervals, and how well each law foretells the largest size."""
        values = ", ".join(
            f"{name} = {value:.3g}"
            + (f" ({self.low[name]:.3g} to {self.high[name]:.3g})" if self.low else "")
            for name, value in self.parameters.items()
        )
        runs = f"n = {self.runs} {'runs' if self.runs > 1 else 'run, no interval'} a size"
        return f"{self.label}: error {LAWS[self.law].formula}, {values}; {self._tested()} ({runs})"

    def _tested(self) -> str:
        if self.law not in self.foretold:
            return f"{len(self.sizes)} sizes are too few to test it on the largest"
        others = ", ".join(f"{law} {off:.1%}" for law, off in self.foretold.items() if law != self.law)
        return f"foretells {self.sizes[-1]:,} images within {self.foretold[self.law]:.1%}" + (
            f" ({others})" if others else ""
        )


def scaling_fit(
    records: pd.DataFrame,
    label: str,
    *,
    metric: str = "test_accuracy",
    law: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> ScalingFit:
    """Fit laws of the error 1 - metric over training-set size, and give the one that foretells best.

    Each law is fitted by least squares to the logarithms of the mean errors of all sizes but the largest, and
    judged by its error there (as Alabdulmohsin et al., 2022, judge extrapolation); the best is fitted to all
    sizes, or one with fewer parameters that is no further off than by two standard errors of the mean there.
    A law needs more sizes than it has parameters to be judged. What it foretold is the best of up to three,
    so a little too good.

    Intervals are percentiles of fits to means drawn anew by whole seeds (see `redraws.redraw_means`), since
    subsets are nested and the runs of a seed may go up and down together. They take the law for true. In 400
    simulated sweeps a case, of 3 and of 5 seeds with noise of their own, shared along a seed or drifting,
    those of the power and the floor law covered a, b, c and the error in 92 to 97 of 100 (in one case 90),
    those of the broken law a, b and n0 in 93 to 97, but d in 81 to 93 only, as few sizes tell it from n0.

    Args:
        records: one row a run, with columns label, train_size, seed and `metric` in [0, 1]; see
            `vision.statistics.records.COLUMNS`.
        label: of the model.
        metric: an accuracy.
        law: take this one, of `LAWS`, whatever it foretells.
        draws: how many, for the intervals.
        seed: of the draws.

    Raises:
        ValueError: a column, the label or the law is not there, or there are fewer than three sizes or
            than the law has parameters.
    """
    if law is not None and law not in LAWS:
        raise ValueError(f"law must be one of {', '.join(LAWS)}, got {law!r}")
    errors = by_seed(runs_of(records, (label,), metric), ["train_size"])
    least = max(FEWEST, len(LAWS[law].parameters) if law else 0)
    sizes = tuple(int(size) for size in errors.columns)
    if len(sizes) < least:
        raise ValueError(
            f"a fit needs {least} training-set sizes or more, got {len(sizes)} of {label!r}: {list(sizes)}"
        )
    x, mean, runs = _logs(sizes), errors.mean().to_numpy(), int(errors.count().min())
    foretold = {one.name: _miss(one, x, mean) for one in LAWS.values() if len(one.parameters) < len(sizes)}
    nearest, last = min(foretold.values(), default=0.0), errors.iloc[:, -1]
    noise = NOISE * float(last.sem() / last.mean()) if runs > 1 else 0.0
    good = max(EXACT, AS_GOOD * nearest, nearest + noise)
    best = LAWS[law or next(name for name, off in foretold.items() if off <= good)]
    values, drawn = fit_law(best, x, np.log(mean)), None
    low, high = {}, {}
    if runs > 1:
        chance = redraw_means(errors.to_numpy() / mean, draws, np.random.default_rng(seed))
        drawn = fit_many(best, x, np.log(mean) + chance, values)
        low, high = _intervals(best, x, drawn)
    return ScalingFit(
        label=label,
        law=best.name,
        parameters={name: float(value) for name, value in best.plain(values).items()},
        low=low,
        high=high,
        foretold=foretold,
        sizes=sizes,
        runs=runs,
        _values=values,
        _drawn=drawn,
    )


def _miss(law: Law, x: np.ndarray, mean: np.ndarray) -> float:
    """How far off the last mean error is, as a share of it, by a fit to the others."""
    values = fit_law(law, x[:-1], np.log(mean[:-1]))
    return float(abs(np.exp(law.log_error(x[-1:], values)[0]) / mean[-1] - 1))


def _intervals(law: Law, x: np.ndarray, drawn: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """(D, P) -> lows and highs by name; those at the bounds of the law are not bounded by the sweep."""
    (low, high), (least, most) = middle(drawn), law.bounds(x)
    open_ends = np.where(low <= least, -np.inf, low), np.where(high >= most, np.inf, high)
    lows, highs = ({name: float(value) for name, value in law.plain(end).items()} for end in open_ends)
    return lows, highs


def _logs(sizes: Any) -> np.ndarray:
    return np.log(np.atleast_1d(np.asarray(sizes, dtype=float)))
