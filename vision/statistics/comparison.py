"""Two models compared over all training-set sizes: one test of the average lead, then each size by Holm.

>>> compare_models(records, "CNN", "ViT").answer  # doctest: +SKIP
'crosses'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from vision.statistics.contradictions import OppositeTrends, opposite_trends
from vision.statistics.crossing import Crossing, crossings
from vision.statistics.intervals import Estimate
from vision.statistics.leads import LEVEL, holm
from vision.statistics.samples import Samples, samples_of

DRAWS = 4000
IDENTICAL = 0.0005  # share of test images; a smaller difference is 0.0 points wherever it is written
Answer = Literal["identical", "crosses", "ahead", "not reached", "undecided", "average", "open"]


@dataclass(frozen=True, slots=True)
class SizeComparison:
    """The comparison of two models at one size.

    Attributes:
        train_size: Number of training images.
        runs: Number of runs of each model; if paired, of pairs.
        lead: Mean accuracy of the first model minus the second's, with its 95% t interval.
        p: p value of the t test of this size alone; NaN where all pairs differ equally.
        adjusted_p: The same adjusted by Holm for all sizes.
        leader: Label of the model that is significantly ahead (adjusted_p below 0.05), or None.
        detectable: Smallest true lead that the test of this size finds with a probability of 80%.
    """

    train_size: int
    runs: tuple[int, int]
    lead: Estimate
    p: float
    adjusted_p: float
    leader: str | None
    detectable: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of two models over all training-set sizes.

    All leads are accuracies of the first model minus the second's, in [-1, 1].

    Attributes:
        models: Their labels.
        paired: Whether runs with the same seed and subset are compared (paired t tests). Else all runs are
            independent (Welch's t tests).
        average: Mean lead over the sizes, with its 95% t interval.
        p: p value of the average lead, the one global test; NaN where all pairs differ equally.
        leader: Label of the model that is significantly ahead on average, or None.
        detectable: Smallest true average lead that the global test finds with a probability of 80%.
        by_size: The sizes at which each model has two runs or more, ascending.
        crossings: Each significant change of the lead, by size.
        crossing_probability: Probability that the leaders at the smallest size and at `at_size` differ.
            0.5 or more where nothing is known.
        at_size: The size where this probability is largest.
        largest_difference: Largest difference between the runs of a pair; infinite if not paired.
        left_out: Sizes that both models have, but with too few pairs or runs.
        trends: Set where, since the last change of the lead, accuracy gap and error ratio move in opposite
            directions, so that they predict different things.
    """

    models: tuple[str, str]
    paired: bool
    average: Estimate
    p: float
    leader: str | None
    detectable: float
    by_size: tuple[SizeComparison, ...]
    crossings: tuple[Crossing, ...]
    crossing_probability: float
    at_size: int
    largest_difference: float
    left_out: tuple[int, ...]
    trends: OppositeTrends | None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Training-set sizes, ascending."""
        return tuple(one.train_size for one in self.by_size)

    @property
    def leaders(self) -> tuple[str | None, ...]:
        """Label of the model that is significantly ahead at each size, or None."""
        return tuple(one.leader for one in self.by_size)

    @property
    def answer(self) -> Answer:
        """Return the answer in a word.

        identical: no pair of runs differs by 0.05 points. crosses: the lead changes. ahead: one model leads
        at every size. not reached or undecided: one model leads at some sizes, and the probability of a
        crossing is at most 0.05, or above. average: one model leads on average, at no single size. open:
        no significant difference at all.
        """
        if self.largest_difference < IDENTICAL:
            return "identical"
        if self.crossings:
            return "crosses"
        if None not in self.leaders:
            return "ahead"
        if any(self.leaders):
            return "not reached" if self.crossing_probability <= LEVEL else "undecided"
        return "average" if self.leader else "open"

    def table(self) -> pd.DataFrame:
        """Return one row per size: train_size, n (of the model with fewer runs), mean, low, high and p."""
        rows = [(one.train_size, min(one.runs), *one.lead, one.p) for one in self.by_size]
        return pd.DataFrame(rows, columns=["train_size", "n", "mean", "low", "high", "p"])


def compare_models(
    records: pd.DataFrame,
    first: str,
    second: str,
    *,
    metric: str = "test_accuracy",
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare the accuracies of two models, on average over the sizes and at each size.

    The average lead is one test at level 0.05. The sizes are tested together at level 0.05, by Holm's
    procedure: in at most 5% of sweeps of two equal models one of them is called ahead at some size. Runs with
    the same seed and subset are pairs. Models that share no seeds are compared by Welch's t test.

    The lead changes between sizes with different significant leaders. The place is that where the errors
    cross; see `crossing.crossings`. The test images are taken as fixed. docs/statistics.md has the measured
    coverage and power.

    Args:
        records: One row per run; see `paired_runs`.
        first: Label of a model.
        second: Label of another.
        metric: An accuracy in [0, 1].
        draws: Number of draws for the crossings.
        seed: Seed of the draws.

    Raises:
        ValueError: As `samples_of`.
    """
    samples = samples_of(records, first, second, metric=metric)
    generator = np.random.default_rng(seed)
    average = samples.lead(samples.sizes)
    by_size = _by_size(samples, (first, second))
    leaders = [one.leader for one in by_size]
    ratios = samples.draw_log_ratios(draws, generator)
    drawn = ratios[2]
    changed = (drawn[:, :1] * drawn < 0).mean(axis=0)
    return Comparison(
        models=(first, second),
        paired=samples.paired,
        average=average.estimate,
        p=average.p,
        leader=_leader(average.mean, average.p, (first, second)),
        detectable=average.detectable(),
        by_size=by_size,
        crossings=crossings(samples.sizes, ratios, leaders, first, generator),
        crossing_probability=float(changed.max()),
        at_size=samples.sizes[-1 - int(changed[::-1].argmax())],
        largest_difference=_largest_difference(samples),
        left_out=samples.left_out,
        trends=_trends_since_last_crossing(samples, leaders, first),
    )


def _by_size(samples: Samples, models: tuple[str, str]) -> tuple[SizeComparison, ...]:
    leads = [samples.lead([size]) for size in samples.sizes]
    adjusted = holm([lead.p for lead in leads]).tolist()
    found = sum(p < LEVEL for p in adjusted)
    # Holm tests a further size at this level.
    level = LEVEL / max(1, len(leads) - found)
    return tuple(
        SizeComparison(
            train_size=size,
            runs=samples.runs(size),
            lead=lead.estimate,
            p=lead.p,
            adjusted_p=p,
            leader=_leader(lead.mean, p, models),
            detectable=lead.detectable(level),
        )
        for size, lead, p in zip(samples.sizes, leads, adjusted, strict=True)
    )


def _leader(mean: float, p: float, models: tuple[str, str]) -> str | None:
    return models[0 if mean > 0 else 1] if p < LEVEL else None


def _largest_difference(samples: Samples) -> float:
    if not samples.paired:
        return float("inf")
    return float(np.nanmax(np.abs((samples.first - samples.second).to_numpy(dtype=float))))


def _trends_since_last_crossing(
    samples: Samples, leaders: Sequence[str | None], first: str
) -> OppositeTrends | None:
    known = [index for index, name in enumerate(leaders) if name]
    if not known or not samples.paired:
        return None
    last = leaders[known[-1]]
    others = [index for index in known if leaders[index] != last]
    start = min(index for index in known if index > others[-1]) if others else 0
    since = samples.sizes[start:]
    return opposite_trends(samples.first[since], samples.second[since], first_leads=last == first)
