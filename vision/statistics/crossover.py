"""Where the error curves of two models cross, and how certain that is.

>>> crossover(records, "CNN", "ViT").answer  # doctest: +SKIP
'crosses'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from vision.statistics.contradictions import OppositeTrends, against_mean_accuracy, opposite_trends
from vision.statistics.intervals import CONFIDENCE, Estimate, interval_of, percentile_interval
from vision.statistics.pairs import paired_runs
from vision.statistics.resampling import pivot_by_seed, wild_bootstrap

DRAWS = 4000
Answer = Literal["crosses", "ahead", "not reached", "undecided", "open"]


@dataclass(frozen=True, slots=True)
class Crossing:
    """One change of the lead.

    Attributes:
        leader: Label of the model that is ahead below it.
        size: Number of training images at which the curves cross.
        low: Lower end of its 95% interval.
        high: Upper end of its 95% interval.
        times: How often the means change sign between the two sizes of `between`. If more than once, `size`
            is how far the leader's share of the span reaches.
        between: The two neighbouring sizes with different significant leaders.
    """

    leader: str
    size: float
    low: float
    high: float
    times: int
    between: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Crossover:
    """The comparison of two models over all training-set sizes.

    Attributes:
        models: Their labels.
        sizes: Training-set sizes at which both have two pairs of runs or more.
        pairs: Smallest number of pairs of runs at a size.
        leaders: Label that is significantly ahead at each size, or None.
        crossings: Each significant change of the lead, by size.
        crossing_probability: Probability that the leaders at the smallest size and at `at_size` differ.
            0.5 or more where nothing is known.
        at_size: The size where this probability is largest.
        differences: Mean accuracy of the first model minus the second's at each size, with its t interval.
        average: The same for the mean over all sizes, over the seeds that have every size. None with fewer
            than two such seeds.
        left_out: Sizes that both models have, but with fewer than two pairs of runs.
        against_accuracy: Sizes whose leader has the lower mean accuracy, and by how much.
        trends: Set where, since the last change of the lead, accuracy gap and error ratio move in opposite
            directions, so that they predict different things.
    """

    models: tuple[str, str]
    sizes: tuple[int, ...]
    pairs: int
    leaders: tuple[str | None, ...]
    crossings: tuple[Crossing, ...]
    crossing_probability: float
    at_size: int
    differences: tuple[Estimate, ...]
    average: Estimate | None
    left_out: tuple[int, ...]
    against_accuracy: dict[int, float]
    trends: OppositeTrends | None

    @property
    def answer(self) -> Answer:
        """Return the answer in a word.

        crosses: the lead changes. ahead: one model leads at every size. open: no size has a leader.
        Otherwise one model leads at some sizes: not reached, if crossing_probability is at most 0.05, or
        undecided.
        """
        if self.crossings:
            return "crosses"
        if None not in self.leaders:
            return "ahead"
        if not any(self.leaders):
            return "open"
        return "not reached" if self.crossing_probability <= 1 - CONFIDENCE else "undecided"


def crossover(
    records: pd.DataFrame,
    first: str,
    second: str,
    *,
    metric: str = "test_accuracy",
    draws: int = DRAWS,
    seed: int = 0,
) -> Crossover:
    """Return where the errors of two models cross, compared on the same subsets and seeds.

    The log ratio of the two errors is tested at each size by a paired t test, at level 0.05 over all sizes
    together (Bonferroni). The lead changes between sizes with different significant leaders. The crossing is
    where the mean log ratio, linear over log size, is 0. Its interval comes from
    `resampling.wild_bootstrap`, because subsets are nested over sizes. Models that do not cross are thus
    reported to cross in at most 5% of sweeps. The test images are taken as fixed. docs/statistics.md has
    the measured coverage.

    Args:
        records: One row per run; see `paired_runs`.
        first: Label of a model.
        second: Label of another.
        metric: An accuracy in [0, 1]; the error is 1 - metric.
        draws: Number of draws for intervals and probability.
        seed: Seed of the draws.

    Raises:
        ValueError: As `paired_runs`, or no size has two pairs of runs.
    """
    pairs = paired_runs(records, first, second, metric=metric)
    counts = pairs.groupby("train_size")["log_ratio"].count()
    sizes = [int(size) for size in counts.index[counts >= 2]]
    if not sizes:
        raise ValueError(
            f"no training-set size has two pairs of runs of {first!r} and {second!r} with the same seed and "
            "subset, so nothing can be tested; run more seeds"
        )
    ratios = pivot_by_seed(pairs, ["train_size"], "log_ratio")[sizes]
    mean, spread, count = (table.to_numpy() for table in (ratios.mean(), ratios.sem(), ratios.count()))
    drawn = mean + wild_bootstrap(ratios.to_numpy(), draws, np.random.default_rng(seed))
    changed = (drawn[:, :1] * drawn < 0).mean(axis=0)
    signs = _significant_signs(mean, spread, count)
    names = {-1: first, 1: second, 0: None}
    leaders = tuple(names[sign] for sign in signs)
    differences = _differences(pairs, sizes)
    return Crossover(
        models=(first, second),
        sizes=tuple(sizes),
        pairs=int(count.min()),
        leaders=leaders,
        crossings=tuple(
            _crossing(sizes, mean, drawn, span, names[signs[span[0]]] or "", signs)
            for span in _changes(signs)
        ),
        crossing_probability=float(changed.max()),
        at_size=sizes[-1 - int(changed[::-1].argmax())],
        differences=differences,
        average=_average(pairs, sizes),
        left_out=_left_out(records, first, second, metric, sizes),
        against_accuracy=against_mean_accuracy(sizes, leaders, [one.mean for one in differences], first),
        trends=_trends_since_last_crossing(pairs, sizes, leaders, first),
    )


def _differences(pairs: pd.DataFrame, sizes: Sequence[int]) -> tuple[Estimate, ...]:
    groups = pairs.groupby("train_size")["difference"]
    means = groups.mean()
    intervals = (interval_of(groups.get_group(size).to_numpy()) for size in sizes)
    return tuple(Estimate(float(means.loc[size]), *ends) for size, ends in zip(sizes, intervals, strict=True))


def _average(pairs: pd.DataFrame, sizes: Sequence[int]) -> Estimate | None:
    seeds = pivot_by_seed(pairs, ["train_size"], "difference")[list(sizes)].dropna().mean(axis=1).to_numpy()
    return Estimate(float(seeds.mean()), *interval_of(seeds)) if len(seeds) > 1 else None


def _left_out(
    records: pd.DataFrame, first: str, second: str, metric: str, sizes: Sequence[int]
) -> tuple[int, ...]:
    """Return the sizes that both models have and that are not among these."""
    runs = records[records[metric].notna()]
    one, other = (set(runs["train_size"][runs["label"] == label].tolist()) for label in (first, second))
    return tuple(sorted(int(size) for size in (one & other) - set(sizes)))


def _trends_since_last_crossing(
    pairs: pd.DataFrame, sizes: Sequence[int], leaders: Sequence[str | None], first: str
) -> OppositeTrends | None:
    known = [index for index, name in enumerate(leaders) if name]
    if not known:
        return None
    last = leaders[known[-1]]
    others = [index for index in known if leaders[index] != last]
    start = min(index for index in known if index > others[-1]) if others else 0
    since = pairs[pairs["train_size"].isin(sizes[start:])]
    return opposite_trends(since, first_leads=last == first)


def _significant_signs(mean: np.ndarray, spread: np.ndarray, count: np.ndarray) -> list[int]:
    """Return -1 where the first model has the significantly smaller error, 1 where the second has, else 0.

    0 also where all pairs of a size differ equally: zero observed variance is not evidence.
    """
    level = (1 - CONFIDENCE) / 2 / len(mean)
    bound = np.where(spread > 0, np.asarray(stats.t.ppf(1 - level, count - 1)) * spread, np.inf)
    return [int(np.sign(m)) if abs(m) > b else 0 for m, b in zip(mean, bound, strict=True)]


def _changes(signs: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of neighbouring sizes with opposite leaders; sizes without a leader are skipped."""
    known = [index for index, sign in enumerate(signs) if sign]
    return [(a, b) for a, b in pairwise(known) if signs[a] != signs[b]]


def _crossing(
    sizes: Sequence[int],
    mean: np.ndarray,
    drawn: np.ndarray,
    span: tuple[int, int],
    leader: str,
    signs: Sequence[int],
) -> Crossing:
    """Return the change of the lead within a span of sizes."""
    inside = slice(span[0], span[1] + 1)
    lead = signs[span[0]] * np.vstack((mean, drawn))[:, inside]
    log_size, *log_sizes = _lead_ends(np.log(sizes[inside]), lead)
    low, high = percentile_interval(np.array(log_sizes))
    ahead = np.sign(lead[0][lead[0] != 0])  # a tie does not change the lead
    times = int((np.diff(ahead) != 0).sum())
    size, low, high = (float(np.exp(log)) for log in (log_size, low, high))
    return Crossing(leader, size, low, high, times, (sizes[span[0]], sizes[span[1]]))


def _lead_ends(logs: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """Return up to which log size the first model leads: log sizes (J,), leads (D, J) -> (D,).

    A lead is above 0 where the first model is ahead. Where it changes several times, the led parts add up.
    """
    left, right = lead[:, :-1], lead[:, 1:]
    change = np.maximum(left, right) / np.abs(left - right).clip(min=1e-300)
    held = np.where(left * right < 0, change, left + right > 0)
    return logs[0] + (held * np.diff(logs)).sum(axis=1)
