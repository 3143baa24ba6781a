"""How a score changes with the training-set size: a line for each seed, and the interval of their slopes."""

from typing import cast

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vision.statistics import size_trends
from vision.statistics.leads import mean_lead

SIZES = (100, 200, 500, 5000)


def runs(label: str, scores: np.ndarray, sizes: tuple[int, ...] = SIZES) -> pd.DataFrame:
    """One run per row (seed) and column (size)."""
    seeds, columns = np.indices(scores.shape)
    size, score = np.array(sizes)[columns.ravel()], scores.ravel()
    table = {"label": label, "train_size": size, "seed": seeds.ravel(), "subset_seed": None, "share": score}
    return pd.DataFrame(table)


def test_the_slope_is_that_of_a_line_over_doublings():
    scores = np.random.default_rng(0).uniform(size=(5, len(SIZES)))
    [trend] = size_trends(runs("ViT", scores), metric="share")
    slopes = [np.polyfit(np.log2(SIZES), own, 1)[0] for own in scores]
    interval = stats.ttest_1samp(slopes, 0).confidence_interval()
    assert tuple(trend.slope) == pytest.approx((np.mean(slopes), interval.low, interval.high))
    assert trend.first.mean == pytest.approx(scores[:, 0].mean())
    assert trend.last.mean == pytest.approx(scores[:, -1].mean())
    ends = stats.ttest_1samp(scores[:, -1], 0).confidence_interval()
    assert tuple(trend.last[1:]) == pytest.approx((ends.low, ends.high))
    assert (trend.label, trend.sizes, trend.seeds) == ("ViT", SIZES, 5)
    assert trend.is_significant == (stats.ttest_1samp(slopes, 0).pvalue < 0.05)
    assert trend.detectable == pytest.approx(mean_lead(np.array(slopes)[:, None]).detectable())


def test_a_trend_that_all_seeds_share_is_significant():
    noise = np.random.default_rng(1).normal(scale=0.01, size=(3, len(SIZES)))
    [falls] = size_trends(runs("ViT", 0.9 - 0.05 * np.log2(SIZES) + noise), metric="share")
    assert falls.is_significant and falls.slope.high < 0
    assert falls.slope.low < -0.05 < falls.slope.high


def test_a_score_that_does_not_change_has_a_slope_of_exactly_0():
    [trend] = size_trends(runs("static", np.full((3, len(SIZES)), 0.1)), metric="share")
    assert tuple(trend.slope) == (0, 0, 0) and not trend.is_significant
    assert not any(map(np.signbit, trend.slope)) and np.isnan(trend.detectable)


def test_models_keep_their_order_and_unfinished_sizes_and_seeds_are_left_out():
    scores = np.random.default_rng(2).uniform(size=(3, len(SIZES)))
    cnn = runs("CNN", scores)
    cnn = cnn[
        (cnn["train_size"] < 500) | (cnn["seed"] == 0) | ((cnn["train_size"] == 500) & (cnn["seed"] == 1))
    ]
    short = [runs("one seed", scores[:1]), runs("one size", scores[:, :1], SIZES[:1])]
    vit, partial = size_trends(pd.concat([runs("ViT", scores), cnn, *short]), metric="share")
    assert (vit.label, vit.sizes, vit.seeds) == ("ViT", SIZES, 3)
    assert (partial.label, partial.sizes, partial.seeds) == ("CNN", SIZES[:3], 2)
    assert partial.last.mean == pytest.approx(scores[:2, 2].mean())


def test_a_size_whose_seeds_miss_other_sizes_is_left_out():
    scores = np.random.default_rng(4).uniform(size=(6, len(SIZES)))
    table = runs("ViT", scores)
    largest, smallest = table["train_size"] == SIZES[-1], table["train_size"] == SIZES[0]
    late = table["seed"].isin([4, 5])
    [trend] = size_trends(table[~(largest & ~late) & ~(smallest & late)], metric="share")
    assert (trend.sizes, trend.seeds) == (SIZES[:3], 4)
    assert trend.first.mean == pytest.approx(scores[:4, 0].mean())


def test_seeds_of_other_subsets_are_told_apart():
    scores = np.random.default_rng(3).uniform(size=(4, len(SIZES)))
    table = runs("ViT", scores)
    seeds = cast("pd.Series[int]", table["seed"])
    table = table.assign(subset_seed=seeds // 2, seed=seeds % 2)
    [trend] = size_trends(table, metric="share")
    assert trend.seeds == 4
