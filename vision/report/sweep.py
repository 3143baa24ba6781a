"""The runs that a page is about, with the statistics that several of its parts use.

>>> read_sweep(Path("outputs/demo")).curves  # doctest: +SKIP
"""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path

import pandas as pd

from vision import results
from vision.statistics import (
    Comparison,
    ScalingFit,
    accuracy_curves,
    compare_models,
    data_equivalence,
    paired_differences,
    paired_runs,
    ranking,
    run_scores,
    scaling_fit,
)
from vision.statistics.scaling import MIN_SIZES
from vision.statistics.settings import without_shared_settings

MAX_MODELS = 4  # up to which each model is compared with each


@dataclass(frozen=True, eq=False)
class Sweep:
    """The runs that a page is about; equal to itself only.

    Attributes:
        source: Folder of the sweep, or file of the table.
        records: One row per run, of one data set; settings that were searched over are already chosen.
        states: Run folders by state, as `results.status` returns them; empty for a table.
        pair: The two models that are compared first, or None.
        chosen: One row per group with the settings that validation chose, or None.
        left_out: Sentences on runs that are not among the records because they have no test accuracy.
        missing_files: Run folders in which a file next to the record is missing, by the file's name.
    """

    source: Path
    records: pd.DataFrame
    states: dict[str, list[str]]
    pair: tuple[str, str] | None
    chosen: pd.DataFrame | None = None
    left_out: list[str] = field(default_factory=list[str])
    missing_files: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @cached_property
    def labels(self) -> list[str]:
        """Names of the models, sorted by accuracy with the most images."""
        largest = self.records[self.records["train_size"] == self.sizes[-1]]
        means = largest.groupby("label")["test_accuracy"].mean().sort_values(ascending=False)
        return list(dict.fromkeys([*map(str, means.index), *map(str, self.records["label"])]))

    @cached_property
    def sizes(self) -> list[int]:
        """Training-set sizes, ascending."""
        return sorted(set(self.records["train_size"].tolist()))

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.records["data"].iloc[0]) if "data" in self.records else self.source.stem

    @property
    def total(self) -> int | None:
        """Number of runs that the sweep should have; None for a table."""
        return sum(map(len, self.states.values())) or None

    @property
    def is_unfinished(self) -> bool:
        """Whether runs failed, are running or are missing."""
        return any(runs for state, runs in self.states.items() if state != "finished")

    @cached_property
    def is_folder(self) -> bool:
        """Whether the runs' folders are available, with predictions and learning curves."""
        return self.source.is_dir()

    @property
    def first(self) -> str:
        """The model that all others are compared with."""
        return self.pair[0] if self.pair else self.labels[0]

    @property
    def others(self) -> list[str]:
        """All other models, the second of the pair first."""
        second = self.pair[1:] if self.pair else ()
        return [label for label in dict.fromkeys([*second, *self.labels]) if label != self.first]

    @cached_property
    def compared(self) -> pd.DataFrame:
        """The records without the settings that all runs share: what the statistics compare."""
        return without_shared_settings(self.records)

    @cached_property
    def evaluations(self) -> dict[str, pd.DataFrame]:
        """What `vision evaluate` measured of these runs, by evaluation. Reading it may raise a ValueError."""
        if "folder" not in self.records:
            return {}
        known = set(self.records["folder"])
        tables = results.read_evaluations(self.source)
        tables = {name: table[table["folder"].isin(known)] for name, table in tables.items()}
        return {name: table for name, table in tables.items() if len(table)}

    @cached_property
    def distances(self) -> pd.DataFrame:
        """Attention distances of the runs that recorded them in training. Reading may raise a ValueError."""
        if "folder" not in self.records:
            return pd.DataFrame()
        return results.head_distances(self.source, self.records)

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """The best model at each size, and those that are not significantly behind."""
        return ranking(self.compared)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Means and t intervals of the test accuracy of each model and size."""
        return accuracy_curves(self.compared)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The test accuracy of each run, by model and size."""
        return run_scores(self.compared)

    @cached_property
    def comparisons(self) -> dict[tuple[str, str], Comparison]:
        """The first model compared with each other, then, of a few models, each other pair.

        Pairs with fewer than two runs each at every size are not among them.
        """
        pairs = [(self.first, other) for other in self.others]
        if len(self.labels) <= MAX_MODELS:
            pairs += combinations(self.others, 2)
        found = {pair: self.pair_comparison if pair == self.pair else self._compare(pair) for pair in pairs}
        return {pair: comparison for pair, comparison in found.items() if comparison}

    @cached_property
    def pair_comparison(self) -> Comparison | None:
        """The comparison of the two models of the pair."""
        return self._compare(self.pair) if self.pair else None

    def _compare(self, pair: tuple[str, str]) -> Comparison | None:
        with suppress(ValueError):
            return compare_models(self.compared, *pair)
        return None

    @cached_property
    def differences(self) -> dict[str, pd.DataFrame]:
        """Differences of the first model to each other model by size, also where there is one pair."""
        return {name: table for name, table in self._differences.items() if isinstance(table, pd.DataFrame)}

    def is_paired(self, other: str) -> bool:
        """Return whether runs of the first model and of another are compared in pairs."""
        comparison = self.comparisons.get((self.first, other))
        return comparison is None or comparison.paired

    @cached_property
    def not_compared(self) -> dict[str, str]:
        """Models whose runs cannot be compared with those of the first one, and why."""
        return {name: why for name, why in self._differences.items() if isinstance(why, str)}

    @cached_property
    def pairs_of_runs(self) -> dict[str, pd.DataFrame]:
        """The pairs of runs of the first model and each other model that has runs to pair."""
        found: dict[str, pd.DataFrame] = {}
        for other in self.others:
            with suppress(ValueError):
                found[other] = paired_runs(self.compared, self.first, other)
        return {other: pairs for other, pairs in found.items() if len(pairs)}

    @cached_property
    def _differences(self) -> dict[str, pd.DataFrame | str]:
        tables: dict[str, pd.DataFrame | str] = {}
        for other in self.others:
            comparison = self.comparisons.get((self.first, other))
            if comparison is not None and not comparison.paired:
                tables[other] = comparison.table()
                continue
            try:
                tables[other] = paired_differences(self.compared, self.first, other)
            except ValueError as error:
                tables[other] = str(error)
        return tables

    @cached_property
    def equivalence(self) -> pd.DataFrame | None:
        """How many images the first model of the pair needs for the second's errors; None with one size."""
        if self.pair is None:
            return None
        with suppress(ValueError):
            return data_equivalence(self.compared, *self.pair)
        return None

    @cached_property
    def fits(self) -> list[ScalingFit]:
        """The scaling laws of the models that have enough sizes."""
        return [fit for fit in self._fits.values() if isinstance(fit, ScalingFit)]

    @cached_property
    def unfitted(self) -> dict[str, str]:
        """Models without a scaling law, and why; empty where no model has enough sizes."""
        return {label: why for label, why in self._fits.items() if isinstance(why, str)}

    @cached_property
    def _fits(self) -> dict[str, ScalingFit | str]:
        if self.records.groupby("label")["train_size"].nunique().max() < MIN_SIZES:
            return {}
        fits: dict[str, ScalingFit | str] = {}
        for label in self.labels:
            try:
                fits[label] = scaling_fit(self.compared, label)
            except ValueError as error:
                fits[label] = str(error)
        return fits
