"""Where the errors of two models cross, and how certain that place is.

>>> crossings(samples, leaders=["CNN", None, "ViT"])  # doctest: +SKIP
[Crossing(leader='CNN', size=1820.0, low=1240.0, high=2730.0, ...)]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vision.statistics.interpolation import smooth_paths
from vision.statistics.intervals import percentile_interval


@dataclass(frozen=True, slots=True)
class Crossing:
    """One change of the lead.

    Attributes:
        leader: Label of the model that is ahead below it.
        size: Number of training images at which the curves cross: the median over smooth curves.
        low: Lower end of its 95% interval.
        high: Upper end of its 95% interval.
        times: How often the means change sign between the two sizes of `between`. If more than once, `size`
            is how far the leader's share of the span reaches.
        between: The two sizes with different significant leaders, without a leader between them.
        neighbours: The neighbouring sizes of the sweep next to `size`.
    """

    leader: str
    size: float
    low: float
    high: float
    times: int
    between: tuple[int, int]
    neighbours: tuple[int, int]

    @property
    def factor(self) -> float:
        """Ratio of the neighbouring sizes; what lies between them is interpolated."""
        return self.neighbours[1] / self.neighbours[0]


def changes(leaders: Sequence[str | None]) -> list[tuple[int, int]]:
    """Return the pairs of neighbouring indices with different leaders; those without a leader are skipped."""
    known = [index for index, leader in enumerate(leaders) if leader]
    return [(a, b) for a, b in pairwise(known) if leaders[a] != leaders[b]]


def crossings(
    sizes: Sequence[int],
    ratios: tuple[np.ndarray, np.ndarray, np.ndarray],
    leaders: Sequence[str | None],
    first: str,
    generator: np.random.Generator,
) -> tuple[Crossing, ...]:
    """Return each change of the lead between two sizes with different significant leaders.

    The curves cross where the log ratio of the mean errors is 0. Between the sizes it follows smooth paths
    through the draws (`smooth_paths`), so that the interval contains what the interpolation leaves open.

    Args:
        sizes: Training-set sizes, ascending.
        ratios: Log ratio of first's error to second's (J), its standard errors (J) and draws of it (D, J).
        leaders: Label that is significantly ahead at each size, or None.
        first: Label of the first model.
        generator: Source of the paths.
    """
    spans = changes(leaders)
    if not spans:
        return ()
    mean, errors, drawn = ratios
    logs = np.log(np.asarray(sizes, dtype=float))
    grid, paths = smooth_paths(logs, mean, errors, drawn, generator)
    return tuple(_crossing(sizes, mean, grid, paths, span, leaders[span[0]] or "", first) for span in spans)


def _crossing(
    sizes: Sequence[int],
    mean: np.ndarray,
    grid: np.ndarray,
    paths: np.ndarray,
    span: tuple[int, int],
    leader: str,
    first: str,
) -> Crossing:
    """Return the change of the lead within a span of sizes."""
    sign = -1 if leader == first else 1  # the leader has the smaller error
    start, end = sizes[span[0]], sizes[span[1]]
    inside = (grid >= np.log(start)) & (grid <= np.log(end))
    ends = np.exp(_lead_ends(grid[inside], sign * paths[:, inside]))
    size = float(np.median(ends))
    low, high = (float(value) for value in percentile_interval(ends))
    ahead = np.sign(mean[span[0] : span[1] + 1])
    times = int((np.diff(ahead[ahead != 0]) != 0).sum())  # a tie does not change the lead
    above = min(max(int(np.searchsorted(sizes, size)), span[0] + 1), span[1])
    return Crossing(leader, size, low, high, times, (start, end), (sizes[above - 1], sizes[above]))


def _lead_ends(logs: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """Return up to which log size the leader leads: log sizes (G,), leads (D, G) -> (D,).

    A lead is above 0 where the leader is ahead. Where it changes several times, the led parts add up.
    """
    left, right = lead[:, :-1], lead[:, 1:]
    change = np.maximum(left, right) / np.abs(left - right).clip(min=1e-300)
    held = np.where(left * right < 0, change, left + right > 0)
    return logs[0] + (held * np.diff(logs)).sum(axis=1)
