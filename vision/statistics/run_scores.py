"""The score of each run along the axes of a figure, and whether a mean describes them.

>>> run_scores(records, metric="test_accuracy")  # doctest: +SKIP
"""

import numpy as np
import pandas as pd

from vision.statistics.curves import axis

SCORE = "score"
LEAST_RANGE = 0.3  # of the scores, from which they can be all or nothing
BETWEEN = 0.1  # largest share of runs in the middle half of that range


def run_scores(
    records: pd.DataFrame,
    *,
    x: str = "train_size",
    line: str = "label",
    panel: str = "data",
    metric: str = "test_accuracy",
) -> pd.DataFrame:
    """Return one row per run with columns panel, line and x under their own names, and score.

    Args:
        records: One row per run; see `accuracy_curves`, which averages them.
        x, line, panel, metric: As in `accuracy_curves`.

    Raises:
        ValueError: A column is missing.
    """
    if panel == "data" and "data" not in records:
        records = records.assign(data="unnamed")
    columns = {name: axis(records, name) for name in (panel, line, x)}
    return pd.DataFrame({**columns, SCORE: records[metric]}).dropna(subset=[SCORE])


def all_or_nothing(scores: pd.DataFrame) -> bool:
    """Return whether runs either succeed or fail, with equal settings too, and hardly one lies between.

    The mean of such runs is a score that none of them has.

    >>> scores = pd.DataFrame({"label": "CNN", "score": [0.5, 0.51, 0.99, 1.0]})
    >>> all_or_nothing(scores), all_or_nothing(scores.assign(label=[1, 1, 2, 2]))
    (True, False)
    """
    values = scores[SCORE].to_numpy(dtype=float)
    low, high = float(np.min(values)), float(np.max(values))
    start, end = low + (high - low) / 4, high - (high - low) / 4
    if high - low < LEAST_RANGE or ((values > start) & (values < end)).mean() > BETWEEN:
        return False
    points = scores.groupby([name for name in scores if name != SCORE], dropna=False)[SCORE]
    return bool(((points.min() <= start) & (points.max() >= end)).any())
