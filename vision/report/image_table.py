"""The table that compares models image by image, with the most training images.

>>> same_images_table(sweep).heads[:2]  # doctest: +SKIP
('other model', 'CNN ahead by')
"""

import math

import numpy as np

from vision.report.run_predictions import RunPredictions, predictions_at
from vision.report.sweep import Sweep
from vision.report.table_cells import Cell, Table, interval_cell, p_value
from vision.report.wording import captions, gaps
from vision.statistics import PredictionComparison, compare_predictions
from vision.text import percent, points


def same_images_table(sweep: Sweep) -> Table:
    """Return the comparison of the first model with each other on the same test images.

    Raises:
        ValueError: No model of a folder can be compared.
    """
    first, size = sweep.first, sweep.sizes[-1]
    images, rows, left_out = 0, list[list[Cell]](), list[str]()
    for other in sweep.others:
        runs = predictions_at(sweep, [first, other], size)
        if not runs:
            left_out.append(gaps.no_common_runs(first, other))
        elif not np.array_equal(runs[first].labels, runs[other].labels):
            left_out.append(gaps.other_test_images(first, other))
        else:
            images = len(runs[first].labels)
            rows.append([Cell(other), *_comparison_cells(_compare(runs[first], runs[other]))])
    if left_out and not rows and sweep.is_folder:
        raise ValueError("; ".join(left_out))
    heads = (
        *("other model", f"{first} ahead by", "interval", "McNemar's p", f"only {first}", "only the other"),
        *("disagree", "two seeds disagree"),
    )
    caption = captions.same_images_table(first, size, images, left_out)
    return Table("same-images", "On the same test images", caption, heads, rows, cards=True)


def _compare(first: RunPredictions, other: RunPredictions) -> PredictionComparison:
    return compare_predictions(first.predictions, other.predictions, first.labels, subsets=first.subsets)


def _comparison_cells(found: PredictionComparison) -> list[Cell]:
    seeds = ("-" if math.isnan(share) else percent(share) for share in found.seed_disagreement)
    return [
        Cell(points(found.difference, digits=2), found.difference),
        interval_cell(found.low, found.high, digits=2),
        Cell(", ".join(p_value(p).text for p in found.p), max(found.p)),
        Cell(f"{found.only_first:,.0f}", found.only_first),
        Cell(f"{found.only_second:,.0f}", found.only_second),
        Cell(percent(found.disagreement), found.disagreement),
        Cell(" and ".join(seeds)),
    ]
