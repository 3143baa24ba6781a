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

from vision.statistics.contradictions import gap_warning, sign_warning
from vision.statistics.intervals import CONFIDENCE, interval_of, middle
from vision.statistics.pairs import paired_runs
from vision.statistics.resampling import by_seed, redraw_means

DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Crossing:
    """One change of the lead.

    Attributes:
        leader: label of the model that is ahead below it.
        place: training images at which the curves cross; low and high, its 95% interval.
        times: how often the means change sign between the two sizes at which the lead is beyond doubt; where
            more than once, place is how far the leader holds on in all.
        between: these two sizes.
    """

    leader: str
    place: float
    low: float
    high: float
    times: int
    between: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Crossover:
    """The answer for two models.

    Attributes:
        models: their labels.
        sizes: training-set sizes that both have with two pairs of runs or more.
        pairs: the fewest pairs of runs of a size.
        leaders: for each size the label that is ahead beyond doubt, or None.
        crossings: each change of the lead that is beyond doubt, in the order of sizes.
        below_largest: probability that the curves cross between the smallest size and another, so that their
            leaders differ: that of the size where it is likeliest; 0.5 or more where nothing is known.
        likeliest: this size; the largest of several.
        gap: for each size the mean of the first model's accuracy less the second's.
        average: mean over the sizes of the first model's accuracy less the second's, low and high of its
            t-interval over those seeds that have every size; None with fewer than two such seeds.
        left_out: sizes that both models have, but with fewer than two pairs of runs.
        warning: a sentence where a leader has the lower mean accuracy; or where, since the last change of the
            lead, the gap in accuracy shrinks while the ratio of errors grows, or the reverse, so that they
            foretell different things; else None.
    """

    models: tuple[str, str]
    sizes: tuple[int, ...]
    pairs: int
    leaders: tuple[str | None, ...]
    crossings: tuple[Crossing, ...]
    below_largest: float
    likeliest: int
    gap: tuple[float, ...]
    average: tuple[float, float, float] | None = None
    left_out: tuple[int, ...] = ()
    warning: str | None = None

    @property
    def answer(self) -> str:
        """crosses; ahead, at every size beyond doubt; at some size: not reached, or undecided; or open.

        Not reached is said where below_largest is 0.05 or less, undecided else.
        """
        if self.crossings:
            return "crosses"
        if None not in self.leaders:
            return "ahead"
        if not any(self.leaders):
            return "open"
        return "not reached" if self.below_largest <= 1 - CONFIDENCE else "undecided"

    def __str__(self) -> str:
        """The answer in a sentence, what was left out of it, and the warning if there is one."""
        said = [self._sentence()]
        if self.left_out:
            sizes = ", ".join(f"{size:,}" for size in self.left_out)
            said.append(f"not compared at {sizes} images, for want of pairs of runs of one seed and subset")
        return "; ".join([*said, self.warning] if self.warning else said)

    def _sentence(self) -> str:
        pairs, largest = f"n = {self.pairs} pairs a size", f"{self.sizes[-1]:,}"
        if self.crossings:
            parts = [
                f"{one.leader} ahead up to about {_round(one.place)} images "
                f"({_round(one.low)} to {_round(one.high)}{_several(one)})"
                for one in self.crossings
            ]
            last = self._other(self.crossings[-1].leader)
            return f"{'; then '.join(parts)}; from there {last} ({pairs})"
        several = len(self.sizes) > 1
        reach = f"{self.sizes[0]:,} to {largest} images" if several else f"{largest} images"
        if self.answer == "open":
            at = f"at any size from {reach}" if several else f"at {reach}"
            who = f"which of {' and '.join(self.models)} is ahead cannot be told {at}"
            return f"{who}{self._on_average()} ({pairs})"
        leader = next(name for name in self.leaders if name)
        if self.answer == "ahead":
            return f"{leader} ahead at {f'every size from {reach}' if several else reach} ({pairs})"
        ahead = f"{leader} ahead at {self._where()} images, elsewhere it cannot be told"
        return f"{ahead}; {self._chance()}{self._on_average()} ({pairs})"

    def _where(self) -> str:
        return ", ".join(f"{n:,}" for n, name in zip(self.sizes, self.leaders, strict=True) if name)

    def _chance(self) -> str:
        """Whether there may be a crossing all the same."""
        largest, likely = f"{self.sizes[-1]:,}", self.below_largest > 1 - CONFIDENCE
        reached = f"by {largest} is neither shown nor excluded" if likely else f"is not reached by {largest}"
        span = f"{self.sizes[0]:,} and {self.likeliest:,} images"
        return f"a crossing {reached}: with probability {self.below_largest:.2f} they cross between {span}"

    def _on_average(self) -> str:
        """The mean lead over the sizes, which one test may show where none of many does."""
        if self.average is None or len(self.sizes) < 2:
            return ""
        mean, low, high = (100 * value for value in self.average)
        ends = f"({low:+.1f} to {high:+.1f})"
        return f"; on average over these sizes {self.models[0]} {mean:+.1f} points {ends}"

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
    leaders; where, is a straight line over log size between the means. So a pair of models without a crossing
    is said to have one in at most 5 of 100 sweeps. The interval comes from drawing the means anew by whole
    seeds (see `redraws.redraw_means`), since subsets are nested. On synthetic sweeps of 5 and 8 seeds, with
    noise of each run's own, shared along a seed or tilted, it covered in 93 to 95 of 100 where the crossing
    lies well inside the sizes. With 3 seeds, and near the smallest or largest size, a crossing is seldom
    beyond doubt, and then by luck: there it covered in 83 to 93. The test images are taken as they are.

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
    ratios = by_seed(pairs, ["train_size"], "log_ratio")[sizes]
    tables: Any = (ratios.mean(), ratios.sem(), ratios.count())
    mean, spread, count = (table.to_numpy() for table in tables)
    drawn = mean + redraw_means(ratios.to_numpy(), draws, np.random.default_rng(seed))
    apart = (drawn[:, :1] * drawn < 0).mean(axis=0)
    signs = _signs(mean, spread, count)
    names = {-1: first, 1: second, 0: None}
    leaders = tuple(names[sign] for sign in signs)
    gap = tuple(float(lead) for lead in groups["difference"].mean().loc[sizes])
    return Crossover(
        models=(first, second),
        sizes=tuple(sizes),
        pairs=int(count.min()),
        leaders=leaders,
        crossings=tuple(
            _crossing(sizes, mean, drawn, span, names[signs[span[0]]] or "", signs)
            for span in _changes(signs)
        ),
        below_largest=float(apart.max()),
        likeliest=sizes[-1 - int(apart[::-1].argmax())],
        gap=gap,
        average=_average(pairs, sizes),
        left_out=_left_out(records, first, second, metric, sizes),
        warning=sign_warning(sizes, leaders, gap, first) or _warning(pairs, sizes, leaders, first),
    )


def _average(pairs: pd.DataFrame, sizes: Sequence[int]) -> tuple[float, float, float] | None:
    seeds = by_seed(pairs, ["train_size"], "difference")[list(sizes)].dropna().mean(axis=1).to_numpy()
    return (float(seeds.mean()), *interval_of(seeds)) if len(seeds) > 1 else None


def _left_out(
    records: pd.DataFrame, first: str, second: str, metric: str, sizes: Sequence[int]
) -> tuple[int, ...]:
    """Sizes at which both have runs, but that are not among these."""
    runs: Any = records[records[metric].notna()]
    own = (set(runs["train_size"][runs["label"] == label]) for label in (first, second))
    return tuple(sorted(int(size) for size in set.intersection(*own) - set(sizes)))


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
    """-1 where the first model has the smaller error beyond doubt, 1 where the second has, else 0.

    A size whose pairs all differ by the same shows no spread, which is not to say that there is none: 0.
    """
    level = (1 - CONFIDENCE) / 2 / len(mean)
    bound = np.where(spread > 0, stats.t.ppf(1 - level, count - 1) * spread, np.inf)
    return [int(np.sign(m)) if abs(m) > b else 0 for m, b in zip(mean, bound, strict=True)]


def _changes(signs: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring places with opposite leaders, those without one between them passed over."""
    known = [place for place, sign in enumerate(signs) if sign]
    return [(a, b) for a, b in pairwise(known) if signs[a] != signs[b]]


def _crossing(
    sizes: Sequence[int],
    mean: np.ndarray,
    drawn: np.ndarray,
    span: tuple[int, int],
    leader: str,
    signs: Sequence[int],
) -> Crossing:
    """The change of the lead within a span of sizes."""
    inside = slice(span[0], span[1] + 1)
    lead = signs[span[0]] * np.vstack((mean, drawn))[:, inside]
    place, *places = _places(np.log(sizes[inside]), lead)
    low, high = middle(places)
    who = np.sign(lead[0][lead[0] != 0])  # a tie is no change of the lead
    times = int((np.diff(who) != 0).sum())
    ends = (sizes[span[0]], sizes[span[1]])
    place, low, high = (float(np.exp(at)) for at in (place, low, high))
    return Crossing(leader, place, low, high, times, ends)


def _places(logs: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """Log sizes (J), who leads (D, J), above 0 the first -> log sizes (D) up to which the first holds on."""
    left, right = lead[:, :-1], lead[:, 1:]
    # How much of each step the leader holds; where the lead changes several times, how much it holds in all.
    change = np.maximum(left, right) / np.abs(left - right).clip(min=1e-300)
    held = np.where(left * right < 0, change, left + right > 0)
    return logs[0] + (held * np.diff(logs)).sum(axis=1)


def _several(crossing: Crossing) -> str:
    if crossing.times < 2:
        return ""
    first, last = crossing.between
    return f"; the means cross {crossing.times} times between {first:,} and {last:,}"


def _round(size: float) -> str:
    """Two digits that count."""
    digits = max(0, int(np.floor(np.log10(size))) - 1)
    return f"{round(size / 10**digits) * 10**digits:,}"
