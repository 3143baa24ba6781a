"""Where the curves of two models cross, how sure that is, or that they do not cross by the largest size.

>>> print(crossover(records, "CNN", "ViT"))  # doctest: +SKIP
CNN ahead up to about 1,900 images (1,200 to 2,700); from there ViT (n = 5 pairs a size)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from vision.analysis.gap_warning import gap_warning
from vision.analysis.intervals import CONFIDENCE
from vision.analysis.pairs import paired_runs

DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Crossing:
    """One change of the lead.

    Attributes:
        leader: label of the model that is ahead below it.
        place: training images at which the curves cross; low and high, its 95% interval.
    """

    leader: str
    place: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Crossover:
    """The answer for two models.

    Attributes:
        models: their labels.
        sizes: training-set sizes that both have with two pairs of runs or more.
        pairs: the fewest pairs of runs of a size.
        leaders: for each size the label that is ahead beyond doubt, or None.
        crossings: each change of the lead that is beyond doubt, in the order of sizes.
        below_largest: probability that the lead changes between the smallest and the largest size.
        gap: for each size the mean of the first model's accuracy less the second's.
        warning: a sentence where, since the last change of the lead, the gap in accuracy shrinks while the
            ratio of errors grows, or the reverse, so that they foretell different things; else None.
    """

    models: tuple[str, str]
    sizes: tuple[int, ...]
    pairs: int
    leaders: tuple[str | None, ...]
    crossings: tuple[Crossing, ...]
    below_largest: float
    gap: tuple[float, ...]
    warning: str | None = None

    @property
    def answer(self) -> str:
        """crosses; ahead, at every size beyond doubt; not reached, ahead at some size; or open."""
        if self.crossings:
            return "crosses"
        if None not in self.leaders:
            return "ahead"
        return "not reached" if any(self.leaders) else "open"

    def __str__(self) -> str:
        """The answer in a sentence, and the warning if there is one."""
        return self._sentence() + (f"; {self.warning}" if self.warning else "")

    def _sentence(self) -> str:
        pairs = f"(n = {self.pairs} pairs a size)"
        if self.crossings:
            parts = [
                f"{one.leader} ahead up to about {_round(one.place)} images "
                f"({_round(one.low)} to {_round(one.high)})"
                for one in self.crossings
            ]
            return f"{'; then '.join(parts)}; from there {self._other(self.crossings[-1].leader)} {pairs}"
        reach = f"{self.sizes[0]:,} to {self.sizes[-1]:,} images"
        if self.answer == "open":
            return f"which of {' and '.join(self.models)} is ahead cannot be told from {reach} {pairs}"
        leader = next(name for name in self.leaders if name)
        if self.answer == "ahead":
            return f"{leader} ahead at every size from {reach} {pairs}"
        where = ", ".join(f"{n:,}" for n, name in zip(self.sizes, self.leaders, strict=True) if name)
        return (
            f"{leader} ahead at {where} images, elsewhere it cannot be told; a crossing is not reached by "
            f"{self.sizes[-1]:,}, the lead changes below it with probability {self.below_largest:.2f} {pairs}"
        )

    def _other(self, label: str) -> str:
        return self.models[1] if label == self.models[0] else self.models[0]


def crossover(
    records: pd.DataFrame,
    first: str,
    second: str,
    *,
    metric: str = "test_accuracy",
    draws: int = DRAWS,
    seed: int = 0,
) -> Crossover:
    """Where the errors of two models cross, on the same subsets and seeds.

    At each size the difference of the logarithms of the two errors is taken run by run, with runs of one
    seed and subset as a pair. A size has a leader beyond doubt where Student's t of the pairs says so at
    level 0.05 over all sizes together (Bonferroni). The lead changes between two sizes with different
    leaders; where, is a straight line over log size between the means, and its interval comes from drawing
    the means anew from their t distributions. So a pair of models without a crossing is said to have one in
    at most 5 of 100 sweeps. On synthetic sweeps the intervals covered in 94 to 98 of 100, more
    often where a crossing is only just beyond doubt (tests/test_analysis_crossover.py).

    Args:
        records: one row a run, as `paired_runs` takes them.
        first, second: two labels.
        metric: an accuracy; the error is what it lacks to 1.
        draws: how many, for intervals and probability.
        seed: of the draws.

    Raises:
        ValueError: as `paired_runs`, or no size has two pairs of runs.
    """
    pairs = paired_runs(records, first, second, metric=metric)
    groups: Any = pairs.groupby("train_size")
    counts = groups["log_ratio"].count()
    sizes = [int(size) for size in counts.index[counts >= 2]]
    if not sizes:
        raise ValueError(
            f"no training-set size has two pairs of runs of {first!r} and {second!r} with the same seed and "
            "subset, so that nothing can be said of chance; run more seeds"
        )
    table = groups["log_ratio"].agg(["mean", "std", "count"]).loc[sizes]
    mean, count = table["mean"].to_numpy(), table["count"].to_numpy()
    spread = table["std"].to_numpy() / np.sqrt(count)
    drawn = mean + spread * np.random.default_rng(seed).standard_t(count - 1, size=(draws, len(sizes)))
    signs = _signs(mean, spread, count)
    names = {-1: first, 1: second, 0: None}
    leaders = tuple(names[sign] for sign in signs)
    return Crossover(
        models=(first, second),
        sizes=tuple(sizes),
        pairs=int(count.min()),
        leaders=leaders,
        crossings=tuple(
            _crossing(np.log(sizes), mean, drawn, span, names[signs[span[0]]] or "", signs[span[0]])
            for span in _changes(signs)
        ),
        below_largest=float((np.ptp(np.sign(drawn), axis=1) > 0).mean()),
        gap=tuple(float(gap) for gap in groups["difference"].mean().loc[sizes]),
        warning=_warning(pairs, sizes, leaders, first),
    )


def _warning(
    pairs: pd.DataFrame, sizes: Sequence[int], leaders: Sequence[str | None], first: str
) -> str | None:
    """`gap_warning` of the sizes since the last change of the lead."""
    known = [place for place, name in enumerate(leaders) if name]
    if not known:
        return None
    last = leaders[known[-1]]
    others = [place for place in known if leaders[place] != last]
    start = min(place for place in known if place > others[-1]) if others else 0
    since: Any = pairs[pairs["train_size"].isin(sizes[start:])]
    return gap_warning(since, first_leads=last == first)


def _signs(mean: np.ndarray, spread: np.ndarray, count: np.ndarray) -> list[int]:
    """-1 where the first model has the smaller error beyond doubt, 1 where the second has, else 0."""
    level = (1 - CONFIDENCE) / 2 / len(mean)
    bound = stats.t.ppf(1 - level, count - 1) * spread
    return [int(np.sign(m)) if abs(m) > b else 0 for m, b in zip(mean, bound, strict=True)]


def _changes(signs: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring places with opposite leaders, those without one between them passed over."""
    known = [place for place, sign in enumerate(signs) if sign]
    return [(a, b) for a, b in pairwise(known) if signs[a] != signs[b]]


def _crossing(
    logs: np.ndarray, mean: np.ndarray, drawn: np.ndarray, span: tuple[int, int], leader: str, sign: int
) -> Crossing:
    """The change of the lead within a span of sizes, at whose start the model with this sign leads."""
    inside = slice(span[0], span[1] + 1)
    lead = sign * np.vstack((mean, drawn))[:, inside]
    left, right = lead[:, :-1], lead[:, 1:]
    # How much of each step the leader holds; where the lead changes several times, how much it holds in all.
    change = np.maximum(left, right) / np.abs(left - right).clip(min=1e-300)
    held = np.where(left * right < 0, change, left + right > 0)
    places = logs[span[0]] + (held * np.diff(logs[inside])).sum(axis=1)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(places[1:], [tail, 100 - tail])
    return Crossing(leader, *(float(np.exp(place)) for place in (places[0], low, high)))


def _round(size: float) -> str:
    """Two digits that count."""
    digits = max(0, int(np.floor(np.log10(size))) - 1)
    return f"{round(size / 10**digits) * 10**digits:,}"
