"""Some of the runs of a published page, and what their settings are.

>>> Selection(records).where("training.steps", 300).seeds  # doctest: +SKIP
'3'
"""

import math
from collections.abc import Sequence
from typing import Self

import pandas as pd

from vision.statistics import choose_by_validation


class Selection:
    """Runs of one page, or some of them."""

    def __init__(self, records: pd.DataFrame) -> None:
        self.records = records

    def where(self, column: str, *values: object) -> Self:
        """Return the runs with one of these values in a column; None is a missing value."""
        kept = self.records[column].isin([value for value in values if value is not None])
        if None in values:
            kept |= self.records[column].isna()
        return type(self)(self.records[kept])

    def label_by(self, column: str) -> Self:
        """Return the runs with the values of a column as labels."""
        names = [f"{value:g}" if isinstance(value, float) else str(value) for value in self.records[column]]
        return type(self)(self.records.assign(label=names))

    def size_by(self, column: str) -> Self:
        """Return the runs with the numbers of a column in place of the training-set size."""
        return type(self)(self.records.assign(train_size=self.records[column].astype(int)))

    def best_by(self, *settings: str) -> Self:
        """Return the runs with the settings that validation chose for each model and size."""
        chosen, _ = choose_by_validation(self.records, settings, by=["label", "train_size"])
        return type(self)(chosen.drop(columns=list(settings)))

    def choices(self, *settings: str) -> pd.DataFrame:
        """Return the settings that validation chose, one row per model and size."""
        return choose_by_validation(self.records, settings, by=["label", "train_size"])[1]

    @property
    def sizes(self) -> list[int]:
        """Training-set sizes, ascending."""
        return sorted({int(size) for size in self.records["train_size"]})

    @property
    def seeds(self) -> str:
        """Number of runs of a model and size, such as "3"."""
        counts = sorted(set(self.records.groupby(["label", "train_size"]).size().tolist()))
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

    def __len__(self) -> int:
        return len(self.records)

    def ends(self, column: str) -> str:
        """Return the smallest and largest value of a column, such as "22 to 2,110"."""
        least, most = self.records[column].min(), self.records[column].max()
        return f"{least:,.0f}" if least == most else f"{least:,.0f} to {most:,.0f}"

    def passes(self, size: int, batch_size: int) -> str:
        """Return how often the runs of a size have seen each of their training images, such as "711"."""
        runs = self.records[self.records["train_size"] == size]
        return f"{(runs['steps'] * batch_size / runs['n_train']).mean():,.0f}"

    def about(self, column: str) -> str:
        """Return the mean of a column with two digits, such as "60,000"."""
        mean = float(self.records[column].mean())
        digits = len(f"{mean:.0f}") - 2
        return f"{round(mean / 10**digits) * 10**digits:,}"

    def count(self, column: str) -> int:
        """Return how many values a column has."""
        return int(self.records[column].nunique(dropna=False))

    def like(self, label: str, other: "Selection", *columns: str) -> Self:
        """Return the runs of a model with the values that it has in other runs, such as its recipe."""
        own = other.records[other.records["label"] == label]
        kept = self.records["label"] == label
        for column in columns:
            kept &= self.records[column].isin(own[column])
        return type(self)(self.records[kept])

    def values(self, label: str, column: str) -> str:
        """Return the values of a column in the runs of a model, such as "0.1"."""
        found = self.records[self.records["label"] == label][column].unique()
        return ", ".join(str(value) for value in found)

    def complete_sizes(self, labels: Sequence[str]) -> list[int]:
        """Return the sizes at which all of these models have equally many runs, ascending."""
        runs = self.records[self.records["label"].isin(labels)]
        counts = runs.groupby(["train_size", "label"]).size().unstack(fill_value=0)
        even = counts.eq(counts.iloc[:, 0], axis=0).all(axis=1) & (counts.shape[1] == len(labels))
        return [int(size) for size in counts.index[even]]

    def shared(self, labels: Sequence[str]) -> Self:
        """Return the runs of these models, of the sizes and seeds that all of them have."""
        runs = self.records[self.records["label"].isin(labels)]
        models = runs.groupby(["train_size", "seed"])["label"].transform("nunique")
        return type(self)(runs[models == len(labels)])

    def with_seeds(self, least: int) -> Self:
        """Return the runs of the sizes at which each model has at least so many seeds."""
        seeds = self.records.groupby(["train_size", "label"])["seed"].transform("nunique")
        fewest = seeds.groupby(self.records["train_size"]).transform("min")
        return type(self)(self.records[fewest >= least])

    def least(self, column: str) -> str:
        """Return the smallest value of a share in percent, rounded down to one decimal."""
        return f"{math.floor(1000 * self.records[column].min()) / 10:.1f}"

    def values_of(self, column: str, value: object) -> list[str]:
        """Return the labels of the runs with a value in a column, sorted."""
        return sorted(set(self.records[self.records[column] == value]["label"]))

    def millions(self, label: str, column: str) -> str:
        """Return the mean of a column in millions."""
        runs = self.records[self.records["label"] == label]
        return f"{runs[column].mean() / 1e6:.1f}"
