"""Where the gap in accuracy and the ratio of errors tell two stories: who leads, or where it is heading.

>>> gap_warning(paired_runs(records, "CNN", "ViT"), first_leads=True)  # doctest: +SKIP
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vision.statistics.intervals import middle
from vision.statistics.resampling import by_seed, redraw_means

DRAWS = 2000
WORDS = {1: "grows", -1: "shrinks"}


def gap_warning(pairs: pd.DataFrame, *, first_leads: bool, seed: int = 0) -> str | None:
    """A sentence if the leader's gap shrinks over the sizes while the ratio of errors grows, or the reverse.

    Either is a slope over log size, beyond doubt where its 95% interval over seeds excludes 0. Where the two
    are opposite, one extrapolation sees a crossing and the other none.

    Args:
        pairs: as `paired_runs` gives them, two or more at each size.
        first_leads: the first model is the better one, else the second.
        seed: of the draws.

    Returns:
        None where the two agree or one of them cannot be told.
    """
    sign = 1 if first_leads else -1
    leads = [sign * by_seed(pairs, ["train_size"], name) for name in ("difference", "log_ratio")]
    gaps, ratios = leads[0], -leads[1]
    if gaps.shape[1] < 2:
        return None
    trends = [_trend(table, seed) for table in (gaps, ratios)]
    if trends[0] * trends[1] >= 0:
        return None
    sizes, gap, ratio = gaps.columns, 100 * gaps.mean().to_numpy(), np.exp(ratios.mean().to_numpy())
    return (
        f"beware: from {sizes[0]:,} to {sizes[-1]:,} images the accuracy gap {WORDS[trends[0]]} from "
        f"{gap[0]:.1f} to {gap[-1]:.1f} points while the ratio of errors {WORDS[trends[1]]} from "
        f"{ratio[0]:.2f} to {ratio[-1]:.2f}, so that beyond {sizes[-1]:,} one foretells a crossing and the "
        "other none"
    )


def sign_warning(
    sizes: Sequence[int], leaders: Sequence[str | None], gap: Sequence[float], first: str
) -> str | None:
    """A sentence if at some sizes the leader by the ratio of errors has the lower mean accuracy.

    A logarithm weighs a small error as much as a large one, a mean accuracy does not.

    Args:
        sizes: training-set sizes.
        leaders: at each the label that is ahead beyond doubt by the ratio of errors, or None.
        gap: at each the mean of the first model's accuracy less the second's.
        first: label of the first model.
    """
    against = {
        size: 100 * abs(lead)
        for size, leader, lead in zip(sizes, leaders, gap, strict=True)
        if leader and (lead < 0 if leader == first else lead > 0)
    }
    if not against:
        return None
    places = ", ".join(f"{size:,}" for size in against)
    points = ", ".join(f"{lead:.1f}" for lead in against.values())
    return (
        f"beware: at {places} images the other one has the higher mean accuracy, by {points} points, as runs "
        "with large errors weigh more in it than in the ratio of errors"
    )


def _trend(lead: pd.DataFrame, seed: int) -> int:
    """(R, J) by seed and size -> 1 or -1, the sign of the slope over log size, 0 where it is in doubt."""
    logs = np.log(lead.columns.to_numpy(dtype=float))
    weights = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
    drawn = redraw_means(lead.to_numpy(), DRAWS, np.random.default_rng(seed)) @ weights
    slope = float(lead.mean().to_numpy() @ weights)
    low, high = slope + middle(drawn)
    # Two curves without noise that keep their distance differ by rounding.
    return int(np.sign(slope)) if low * high > 0 and abs(slope) > 1e-9 else 0
