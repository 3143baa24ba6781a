"""The comparison of two models over all training-set sizes: average lead, leads by size, crossings.

>>> compare_models(records, "CNN", "ViT").answer  # doctest: +SKIP
'crosses'
"""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from vision.statistics.contradictions import OppositeTrends
from vision.statistics.crossing import Crossing
from vision.statistics.intervals import Estimate
from vision.statistics.leads import LEVEL

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
        unmatched: If paired, the number of runs of each model that are not compared. The other has no run
            with their size, seed and subset.
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
    unmatched: tuple[int, int]
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
    def led(self) -> dict[str, list[int]]:
        """The sizes at which each model is significantly ahead, in the order of the smallest; not of none."""
        led: dict[str, list[int]] = {}
        for one in self.by_size:
            if one.leader:
                led.setdefault(one.leader, []).append(one.train_size)
        return led

    @property
    def crosses_somewhere(self) -> bool:
        """Whether the leader on average is behind at a size, though no change of the lead is located."""
        return not self.crossings and bool(self.led) and self.leader not in (None, *self.led)

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
