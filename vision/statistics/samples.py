"""The runs of two models by size: in pairs where they share seeds, else as independent samples.

>>> samples_of(records, "CNN", "ViT").paired  # doctest: +SKIP
True
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vision.statistics.leads import Lead, mean_lead
from vision.statistics.pairs import check_same_images, runs_of_two
from vision.statistics.records import MIN_ERROR
from vision.statistics.resampling import pivot_by_seed, wild_bootstrap

MIN_RUNS = 2  # at a size, from which on it is tested


@dataclass(frozen=True, slots=True)
class Samples:
    """The accuracies of two models, at the sizes where each has two runs or more.

    Attributes:
        first: One row per seed and one column per size; NaN where a seed has no run.
        second: The same of the second model. If paired, it has values where the first has.
        paired: Whether a row of both is the same seed and subset.
        left_out: Sizes that both models have, but with too few pairs or runs.
        unmatched: If paired, the number of runs of each model at the sizes that are compared, but without a
            partner.
    """

    first: pd.DataFrame
    second: pd.DataFrame
    paired: bool
    left_out: tuple[int, ...]
    unmatched: tuple[int, int]

    @property
    def sizes(self) -> list[int]:
        """Training-set sizes, ascending."""
        return [int(size) for size in self.first.columns]

    def lead(self, sizes: list[int]) -> Lead:
        """Return the mean lead of the first model in accuracy, over some sizes."""
        columns = self.first.columns.get_indexer(pd.Index(sizes))
        first, second = (table.to_numpy(dtype=float)[:, columns] for table in (self.first, self.second))
        return mean_lead(first - second) if self.paired else mean_lead(first) - mean_lead(second)

    def runs(self, size: int) -> tuple[int, int]:
        """Return the numbers of runs of the two models at a size; if paired, both are the number of pairs."""
        return int(self.first[size].count()), int(self.second[size].count())

    def draw_log_ratios(
        self, draws: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the log ratio of the mean errors (J), its standard errors (J), and draws of it (D, J)."""
        accuracies = (table.to_numpy(dtype=float) for table in (self.first, self.second))
        errors = [(1 - values).clip(min=MIN_ERROR) for values in accuracies]
        means = [np.nanmean(values, axis=0) for values in errors]
        one, other = (values / mean for values, mean in zip(errors, means, strict=True))
        tables = (one - other,) if self.paired else (one, -other)
        drawn = sum(wild_bootstrap(table, draws, generator) for table in tables)
        counts = [(~np.isnan(table)).sum(axis=0) for table in tables]
        variance = sum(np.nanvar(table, axis=0, ddof=1) / n for table, n in zip(tables, counts, strict=True))
        ratio = np.log(means[0] / means[1])
        return ratio, np.sqrt(np.asarray(variance, dtype=float)), ratio + drawn


def samples_of(records: pd.DataFrame, first: str, second: str, *, metric: str = "test_accuracy") -> Samples:
    """Return the runs of two models, in pairs if at some size two pairs have the same seed and subset.

    Raises:
        ValueError: As `paired_runs`, or no size has two pairs, nor two runs of each model.
    """
    runs = runs_of_two(records, first, second, metric=metric)
    check_same_images(runs, first, second)
    table = pivot_by_seed(runs, ["label", "train_size"], metric)
    one, other = (_of_model(table, label) for label in (first, second))
    shared = [int(size) for size in one.columns.intersection(other.columns)]
    one, other = one[shared], other[shared]
    pairs = one.notna() & other.notna()
    paired = bool((pairs.sum() >= MIN_RUNS).any())
    before = [table.count() for table in (one, other)]
    if paired:
        one, other = one.where(pairs), other.where(pairs)
    runs_at = np.minimum(one.count().to_numpy(), other.count().to_numpy())
    kept = [size for size, runs in zip(shared, runs_at.tolist(), strict=True) if runs >= MIN_RUNS]
    if not kept:
        raise ValueError(
            f"no training-set size has two runs of {first!r} and of {second!r}, so nothing can be tested; "
            "run more seeds"
        )
    left_out = tuple(size for size in shared if size not in kept)
    one, other = (table[kept].dropna(how="all") for table in (one, other))
    first_unmatched, second_unmatched = (
        int(runs[kept].sum() - table.count().sum()) for runs, table in zip(before, (one, other), strict=True)
    )
    return Samples(one, other, paired, left_out, (first_unmatched, second_unmatched))


def _of_model(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return the columns of a model, one per size; none if its runs have no metric."""
    return (
        table.loc[:, table.columns.get_level_values("label") == label]
        .droplevel("label", axis=1)
        .sort_index(axis=1)
    )
