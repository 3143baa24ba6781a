"""Which rows of a table are repetitions: each run once, and seeds that share a subset as one."""

from collections.abc import Sequence

import pandas as pd


def average_seeds(
    runs: pd.DataFrame, keys: Sequence[str], metric: str, *, together: Sequence[str] | None = None
) -> pd.DataFrame:
    """Average the seeds of each subset at points where several seeds share each of several subsets.

    Runs on one subset are not independent repetitions, so n must count subsets there. Rows stay unchanged
    where each seed has its own subset, where all share one subset, and where the subset is unknown.

    Args:
        runs: With columns seed and subset_seed, each run once.
        keys: Columns that make a point.
        metric: Column to average.
        together: Keys within which all points are treated the same way, so that their runs can be paired.
            None: all keys.
    """
    if "subset_seed" not in runs or not len(runs):
        return runs
    known = runs["subset_seed"].notna()
    if not runs[known].duplicated([*keys, "subset_seed"]).any():
        return runs  # no subset has several seeds
    points = runs.groupby(list(keys), dropna=False)["subset_seed"]
    subsets = runs.groupby([*keys, "subset_seed"], dropna=False)[metric]
    crossed = known & (points.transform("nunique") > 1) & (subsets.transform("size") > 1)
    groups = [runs[name] for name in together or keys]
    averaged = known & crossed.groupby(groups, dropna=False).transform("any")
    new = {metric: subsets.transform("mean"), "seed": runs["subset_seed"]}
    means = runs.assign(**{name: column.where(averaged, runs[name]) for name, column in new.items()})
    return means[~(averaged & runs.duplicated([*keys, "subset_seed"]))]


def drop_duplicate_runs(records: pd.DataFrame, keys: Sequence[str], metric: str) -> pd.DataFrame:
    """Return the records with each run once; rows with the same keys and metric are the same run.

    Raises:
        ValueError: Rows with the same keys differ in the metric.
    """
    if not records.duplicated(list(keys)).any():
        return records
    different = records.drop_duplicates([*keys, metric])
    repeated = different[different.duplicated(list(keys), keep=False)]
    if len(repeated):
        run, group = next(iter(repeated.groupby(list(keys), dropna=False, sort=False)))
        name = ", ".join(f"{key} {v}" for key, v in zip(keys, map(str, run), strict=True) if v != "nan")
        raise ValueError(
            f"several runs of {name} differ in {metric} ({', '.join(f'{v:g}' for v in group[metric])}), "
            "so they differ in more than seeds; select one setting, or add their subset_seed"
        )
    return different
