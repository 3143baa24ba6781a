"""The runs of two models by size: in pairs where they share seeds, else as independent samples.

>>> samples_of(records, "CNN", "ViT").paired  # doctest: +SKIP
True
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vision.statistics.columns import RUN_KEYS
from vision.statistics.leads import Lead, mean_lead
from vision.statistics.pairs import pairs_of, runs_of_two
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
    """

    first: pd.DataFrame
    second: pd.DataFrame
    paired: bool
    left_out: tuple[int, ...]

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
        errors = [(1 - table).clip(lower=MIN_ERROR) for table in (self.first, self.second)]
        means = [table.mean() for table in errors]
        one, other = (table / mean for table, mean in zip(errors, means, strict=True))
        tables = (one - other,) if self.paired else (one, -other)
        drawn = sum(wild_bootstrap(table.to_numpy(), draws, generator) for table in tables)
        variance = sum(table.sem() ** 2 for table in tables)
        ratio = np.log((means[0] / means[1]).to_numpy(dtype=float))
        return ratio, np.sqrt(np.asarray(variance, dtype=float)), ratio + drawn


def samples_of(records: pd.DataFrame, first: str, second: str, *, metric: str = "test_accuracy") -> Samples:
    """Return the runs of two models, in pairs if at some size two pairs have the same seed and subset.

    Raises:
        ValueError: As `paired_runs`, or no size has two pairs, nor two runs of each model.
    """
    runs = runs_of_two(records, first, second, metric=metric)
    pairs = pairs_of(runs, first, second, metric=metric)
    of_label = [runs[runs["label"] == label] for label in (first, second)]
    one_sizes, other_sizes = ({int(size) for size in table["train_size"]} for table in of_label)
    shared = sorted(one_sizes & other_sizes)
    paired = bool((pairs.groupby("train_size").size() >= MIN_RUNS).any())
    if paired:
        tables = [pivot_by_seed(pairs, ["train_size"], name) for name in ("first", "second")]
    else:
        tables = [pivot_by_seed(table[[*RUN_KEYS, metric]], ["train_size"], metric) for table in of_label]
    kept = [size for size in shared if all(_count(table, size) >= MIN_RUNS for table in tables)]
    if not kept:
        raise ValueError(
            f"no training-set size has two runs of {first!r} and of {second!r}, so nothing can be tested; "
            "run more seeds"
        )
    left_out = tuple(size for size in shared if size not in kept)
    one, other = (table[kept].dropna(how="all") for table in tables)
    return Samples(one, other, paired, left_out)


def _count(table: pd.DataFrame, size: int) -> int:
    return int(table[size].count()) if size in table else 0
