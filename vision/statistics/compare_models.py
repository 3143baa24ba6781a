"""Compare two models: one test of the average lead over the sizes, then each size by Holm.

>>> compare_models(records, "CNN", "ViT").average  # doctest: +SKIP
Estimate(mean=0.054, low=0.048, high=0.061)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vision.statistics.comparison import Comparison, SizeComparison
from vision.statistics.contradictions import OppositeTrends, opposite_trends
from vision.statistics.crossing import crossings
from vision.statistics.leads import LEVEL, holm
from vision.statistics.samples import Samples, samples_of

DRAWS = 4000


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
    procedure. Of two equal models, one is called ahead at some size in at most 5% of sweeps. Runs with the
    same seed and subset are pairs. Models that share no seeds are compared by Welch's t test.

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
        unmatched=samples.unmatched,
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
