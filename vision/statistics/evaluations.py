"""Scores of runs on changed images: one score for each run, which the other statistics then compare.

>>> table = pd.DataFrame({"folder": "a", "kind": ["fog", "fog"], "level": [1, 2], "accuracy": [0.6, 0.4]})
>>> float(mean_scores(table, "accuracy")["a"])
0.5
"""

import numpy as np
import pandas as pd

from vision.statistics.calibration import expected_calibration_error
from vision.statistics.intervals import interval_of

UNCHANGED = "unchanged"  # the kind of the images as they are, at level 0


def mean_scores(table: pd.DataFrame, score: str) -> pd.Series:
    """Return the mean of a score over all kinds and levels of changes, for each run by its folder.

    Runs without one of the kinds and levels are left out, so that all means are over the same changes.

    Args:
        table: One row per run, kind and level, with the score.
        score: The column to average.
    """
    changed = table[table["kind"] != UNCHANGED]
    scores = changed.pivot_table(index="folder", columns=["kind", "level"], values=score, dropna=False)
    return scores.dropna().mean(axis=1)


def attention_of_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns kernel, position, content and width, averaged over the layers of each run.

    Estimates of a share that are slightly below 0 or above 1 become 0 and 1.

    Args:
        table: One row per run and layer, as `vision evaluate --with kernel_share` writes it.

    Returns:
        One row per run, by its folder.
    """
    shares = ["kernel", "position", "content"]
    means = table.groupby("folder")[[*shares, "width"]].mean()
    return means.assign(**{name: means[name].clip(0, 1) for name in shares})


def distance_ends(table: pd.DataFrame) -> pd.DataFrame:
    """Return the attention distance before training (first) and after it (last), by the folder of the run.

    Args:
        table: One row per run and step, with columns folder, step and distance; step 0 is before training.
    """
    return table.sort_values("step").groupby("folder")["distance"].agg(["first", "last"])


def kept_by_kernel(table: pd.DataFrame) -> dict[int, pd.Series]:
    """Return what the nearest CNN keeps of each run, by its folder, for each side of the kernels.

    Args:
        table: One row per run and side (level), with kept; level 0 is the model as it is.
    """
    kernels = table[table["level"] > 0].set_index("folder")
    sides = sorted(kernels["level"].astype(int).unique())
    return {int(side): kernels.loc[kernels["level"] == side, "kept"] for side in sides}


def calibration_errors(table: pd.DataFrame, binning: str) -> pd.Series:
    """Return the expected calibration error of each run by its folder.

    Args:
        table: One row per run, binning (kind) and bin, as `vision evaluate` writes it.
        binning: As in `calibration_bins`.
    """
    groups = table[table["kind"] == binning].groupby("folder")
    return pd.Series({str(folder): expected_calibration_error(bins) for folder, bins in groups}, dtype=float)


def reliability(table: pd.DataFrame, binning: str = "equal mass") -> pd.DataFrame:
    """Return confidence and accuracy in each bin, on average over the runs of a model and size.

    Args:
        table: One row per run, binning (kind) and bin (level), with label, train_size, confidence, accuracy.
        binning: As in `calibration_bins`. Bins of equal mass are the same for all runs.

    Returns:
        Columns label, train_size, level, n (runs), confidence (mean), mean (of the accuracy), low and high
        (its 95% t interval; NaN for one run).
    """
    keys = ["label", "train_size", "level"]
    groups = table[table["kind"] == binning].groupby(keys)
    means = groups.agg(n=("accuracy", "count"), confidence=("confidence", "mean"), mean=("accuracy", "mean"))
    ends = [interval_of(accuracies.to_numpy()) for _, accuracies in groups["accuracy"]]
    means[["low", "high"]] = np.clip(np.array(ends), 0.0, 1.0)
    return means.reset_index()


def with_score(records: pd.DataFrame, scores: pd.Series, name: str) -> pd.DataFrame:
    """Return the runs that have a score, with the score as a column.

    Args:
        records: One row per run, with the column folder.
        scores: By folder.
        name: Of the new column.
    """
    known = records["folder"].map(scores)
    return records.assign(**{name: known})[known.notna()].reset_index(drop=True)
