"""What the templates of published pages may say about runs; every number is computed from the records.

>>> Runs(results.read_records(folder / "records.csv")).lead("CNN", "ViT", 500)  # doctest: +SKIP
'+3.0'
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd

from vision.report.wording.lead import average_lead, lead
from vision.statistics import Comparison, accuracy_curves, compare_models
from vision.statistics.curves import choose_by_validation
from vision.statistics.leads import LEVEL, Lead, mean_lead
from vision.text import points

SOLVED = 0.9
Points = dict[tuple[str, int], dict[Any, Any]]  # by model and size


class Runs:
    """Runs of one page, or some of them."""

    def __init__(self, records: pd.DataFrame) -> None:
        self.records = records
        self._compare: Callable[[str, str], Comparison] = cache(self._comparison)
        self._points: Callable[[str], Points] = cache(self._curves)

    def where(self, column: str, *values: object) -> "Runs":
        """Return the runs with one of these values in a column; None is a missing value."""
        kept = self.records[column].isin([value for value in values if value is not None])
        if None in values:
            kept |= self.records[column].isna()
        return Runs(self.records[kept])

    def label_by(self, column: str) -> "Runs":
        """Return the runs with the values of a column as labels."""
        names = [f"{value:g}" if isinstance(value, float) else str(value) for value in self.records[column]]
        return Runs(self.records.assign(label=names))

    def size_by(self, column: str) -> "Runs":
        """Return the runs with the numbers of a column in place of the training-set size."""
        return Runs(self.records.assign(train_size=self.records[column].astype(int)))

    def best_by(self, *settings: str) -> "Runs":
        """Return the runs with the settings that validation chose for each model and size."""
        chosen, _ = choose_by_validation(self.records, settings, by=["label", "train_size"])
        return Runs(chosen.drop(columns=list(settings)))

    def choices(self, *settings: str) -> pd.DataFrame:
        """Return the settings that validation chose, one row per model and size."""
        return choose_by_validation(self.records, settings, by=["label", "train_size"])[1]

    def __len__(self) -> int:
        return len(self.records)

    def ends(self, column: str) -> str:
        """Return the smallest and largest value of a column, such as "22 to 2,110"."""
        least, most = self.records[column].min(), self.records[column].max()
        return f"{least:,.0f}" if least == most else f"{least:,.0f} to {most:,.0f}"

    def about(self, column: str) -> str:
        """Return the mean of a column with two digits, such as "60,000"."""
        mean = float(self.records[column].mean())
        digits = len(f"{mean:.0f}") - 2
        return f"{round(mean / 10**digits) * 10**digits:,}"

    def count(self, column: str) -> int:
        """Return how many values a column has."""
        return int(self.records[column].nunique(dropna=False))

    @property
    def sizes(self) -> list[int]:
        """Training-set sizes, ascending."""
        return sorted({int(size) for size in self.records["train_size"]})

    @property
    def seeds(self) -> str:
        """Number of runs of a model and size, such as "3"."""
        counts = sorted(set(self.records.groupby(["label", "train_size"]).size().tolist()))
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

    def mean(self, label: str, size: int, metric: str = "test_accuracy") -> float:
        """Return a mean accuracy in percent."""
        return 100 * self._points(metric)[label, size]["mean"]

    def acc(self, label: str, size: int, metric: str = "test_accuracy") -> str:
        """Return a mean accuracy in percent, such as "35.4"."""
        return f"{self.mean(label, size, metric):.1f}"

    def pm(self, label: str, size: int) -> str:
        """Return a mean accuracy with half of its 95% interval, such as "35.4 ± 1.3"."""
        point = self._points("test_accuracy")[label, size]
        mean, low, high = (100 * point[name] for name in ("mean", "low", "high"))
        return f"{mean:.1f} ± {max(high - mean, mean - low):.1f}"

    def gain(self, label: str, first: int, last: int) -> str:
        """Return how much a mean rises from one size to another, in points."""
        return f"{self.mean(label, last) - self.mean(label, first):.1f}"

    def order(self, size: int) -> list[str]:
        """Return the labels, the best mean first."""
        points_of = self._points("test_accuracy")
        means = {label: point["mean"] for (label, n), point in points_of.items() if n == size}
        return sorted(means, key=lambda label: -means[label])

    def lead(self, first: str, second: str, size: int | None = None) -> str:
        """Return a lead in points, on average over the sizes or at one."""
        return points(self._lead(first, second, size)[0])

    def interval(self, first: str, second: str, size: int | None = None) -> str:
        """Return the 95% interval of a lead, such as "+2.2 to +3.8"."""
        low, high = self._lead(first, second, size)[1:]
        return f"{points(low)} to {points(high)}"

    def lead_text(self, first: str, second: str, size: int | None = None) -> str:
        """Return "+3.0 points (95% interval +2.2 to +3.8)"."""
        ends = self.interval(first, second, size)
        return f"{self.lead(first, second, size)} points (95% interval {ends})"

    def detectable(self, first: str, second: str, size: int | None = None) -> str:
        """Return the smallest detectable lead in points, on average over the sizes or at one."""
        found = self._compare(first, second)
        rows = {one.train_size: one.detectable for one in found.by_size}
        return f"{100 * (found.detectable if size is None else rows[size]):.1f}"

    def leader(self, first: str, second: str, size: int | None = None) -> str | None:
        """Return which of two models is significantly ahead, on average over the sizes or at one."""
        found = self._compare(first, second)
        return found.leader if size is None else dict(zip(found.sizes, found.leaders, strict=True))[size]

    def significance(self, first: str, second: str, size: int | None = None) -> str:
        """Return "significant" or "not significant"."""
        return "significant" if self.leader(first, second, size) else "not significant"

    def p(self, first: str, second: str) -> str:
        """Return the p value of the average lead."""
        return f"{self._compare(first, second).p:.2g}"

    def answer(self, first: str, second: str) -> str:
        """Return the answer of the page of this sweep, in its words."""
        return " ".join(lead(self._compare(first, second)))

    def average(self, first: str, second: str) -> str:
        """Return the sentences on the average lead, in the words of the page."""
        return " ".join(average_lead(self._compare(first, second)))

    def ahead_in(self, first: str, second: str) -> str:
        """Return in how many pairs of runs the first model has the higher accuracy, such as "16 of 21"."""
        pairs = self._pairs(first, second)
        return f"{int((pairs[first] > pairs[second]).sum())} of {len(pairs)}"

    def equal_in(self, first: str, second: str) -> str:
        """Return in how many pairs of runs two models have the same accuracy."""
        pairs = self._pairs(first, second)
        return f"{int((pairs[first] == pairs[second]).sum())} of {len(pairs)}"

    def solved(self, label: str, size: int) -> str:
        """Return in how many runs more than 90% of the test images are right, such as "2 of 3"."""
        values = self._values(label, size)
        return f"{int((values > SOLVED).sum())} of {len(values)}"

    def lowest(self, label: str, size: int) -> str:
        """Return the lowest accuracy of a run in percent."""
        return f"{100 * self._values(label, size).min():.0f}"

    def span(self, kind: str, fields: tuple[int, ...], size: int) -> str:
        """Return the lowest and highest mean of some fields of a kind, such as "30.5 to 31.2"."""
        means = [self.mean(f"{kind} {field}", size) for field in fields]
        return f"{min(means):.1f} to {max(means):.1f}"

    def span_of(self, label: str, metric: str) -> str:
        """Return the lowest and highest mean of a model over the sizes, such as "44 to 60"."""
        means = [self.mean(label, size, metric) for size in self.sizes]
        return f"{min(means):.0f} to {max(means):.0f}"

    def millions(self, label: str, column: str) -> str:
        """Return the mean of a column in millions."""
        runs = self.records[self.records["label"] == label]
        return f"{runs[column].mean() / 1e6:.1f}"

    def values_of(self, column: str, value: object) -> list[str]:
        """Return the labels of the runs with a value in a column, sorted."""
        return sorted(set(self.records[self.records[column] == value]["label"]))

    def best_field(self, kind: str, size: int) -> str:
        """Return the field with the best mean, of labels such as "field_local 3"."""
        return next(name for name in self.order(size) if name.startswith(f"{kind} ")).split()[-1]

    def change(self, first: str, second: str, start: int, end: int) -> str:
        """Return how a lead changes from one size to another: "+2.0 points (95% interval -1.0 to +5.0)"."""
        mean, low, high = self._change(first, second, start, end).estimate
        return f"{points(mean)} points (95% interval {points(low)} to {points(high)})"

    def change_is_significant(self, first: str, second: str, start: int, end: int) -> bool:
        """Return whether a lead changes significantly from one size to another."""
        return self._change(first, second, start, end).p < LEVEL

    def rank_correlation(self, first: int, second: int) -> str:
        """Return Spearman's correlation of the means at two sizes."""
        labels = self.order(first)
        means = [pd.Series([self.mean(label, size) for label in labels]) for size in (first, second)]
        return f"{means[0].corr(means[1], method='spearman'):.2f}"

    def table(self, labels: list[str], sizes: list[int]) -> str:
        """Return the rows of a Markdown table of accuracies."""
        return "\n".join(f"| {label} | {' | '.join(self.pm(label, n) for n in sizes)} |" for label in labels)

    def _values(self, label: str, size: int) -> pd.Series:
        runs = self.records
        return runs[(runs["label"] == label) & (runs["train_size"] == size)]["test_accuracy"]

    def _change(self, first: str, second: str, start: int, end: int) -> Lead:
        pairs = self._pairs(first, second)
        leads = (pairs[first] - pairs[second]).unstack("train_size")
        return mean_lead(pd.DataFrame({end: leads[end] - leads[start]}))

    def _pairs(self, first: str, second: str) -> pd.DataFrame:
        table = self.records.pivot_table(
            index=["train_size", "seed"], columns="label", values="test_accuracy"
        )
        return table[[first, second]].dropna()

    def _curves(self, metric: str) -> "Points":
        rows: list[dict[Any, Any]] = accuracy_curves(self.records, metric=metric).to_dict("records")
        return {(str(row["label"]), int(row["train_size"])): row for row in rows}

    def _comparison(self, first: str, second: str) -> Comparison:
        return compare_models(self.records, first, second)

    def _lead(self, first: str, second: str, size: int | None) -> tuple[float, float, float]:
        found = self._compare(first, second)
        if size is None:
            return found.average
        return next(one.lead for one in found.by_size if one.train_size == size)
