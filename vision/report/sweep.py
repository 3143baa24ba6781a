"""What a page is about: the runs of a sweep, or of a table of records, and the two models it compares first.

>>> sweep = read_sweep(Path("outputs/demo"))  # doctest: +SKIP
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from vision import results
from vision.report.exclusions import lacking, searched, with_metric
from vision.statistics import accuracy_curves, choose_by_validation
from vision.statistics.records import NAMES, check_columns, check_runs, varying

BUDGETS = ("training.steps", "training.epochs")
PAIR = ("CNN", "ViT")  # compared first where both are there and no others are asked for


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """The runs that a page is about; equal to itself only.

    Attributes:
        source: folder of the sweep, or file of the table.
        records: a row a run, of one data set; settings that were searched over are chosen already.
        states: run folders by state, as `results.status` gives them; empty for a table.
        pair: the two models that are compared first, or None.
        chosen: a row a group with the settings that validation chose, or None.
        left_out: sentences on runs that are not among the records, for want of a test accuracy.
        lacking: files beside a result -> run folders that lack them.
    """

    source: Path
    records: pd.DataFrame
    states: dict[str, list[str]]
    pair: tuple[str, str] | None
    chosen: pd.DataFrame | None = None
    left_out: list[str] = field(default_factory=list)
    lacking: dict[str, list[str]] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """Names of the models, the best with most images first."""
        largest = self.records[self.records["train_size"] == self.sizes[-1]]
        means: Any = largest.groupby("label")["test_accuracy"].mean()
        means = means.sort_values(ascending=False)
        rest = [label for label in dict.fromkeys(self.records["label"]) if label not in means.index]
        return [*means.index, *rest]

    @property
    def sizes(self) -> list[int]:
        """Training-set sizes, ascending."""
        return sorted(set(self.records["train_size"]))

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.records["data"].iloc[0]) if "data" in self.records else self.source.stem

    @property
    def unfinished(self) -> dict[str, list[str]]:
        """Run folders that failed, are running or are missing, by state."""
        return {state: runs for state, runs in self.states.items() if runs and state != "finished"}

    @property
    def is_folder(self) -> bool:
        """Whether the runs' folders are at hand, with predictions and learning curves."""
        return self.source.is_dir()


@lru_cache(maxsize=1)
def curves_of(sweep: Sweep) -> pd.DataFrame:
    """Means and t-intervals of the test accuracy, of each model and size; see `accuracy_curves`."""
    return accuracy_curves(sweep.records)


def read_sweep(
    source: Path, *, pair: Sequence[str] | None = None, choose: Sequence[str] | None = None
) -> Sweep:
    """Read the runs in a sweep's folder, or in a .csv or .parquet of records.

    Args:
        source: folder or file.
        pair: labels of the two models to compare first; None takes CNN and ViT, or the two that are there.
        choose: settings of which each model and size takes those that did best in validation.

    Raises:
        FileNotFoundError: there is no finished run.
        ValueError: a column is missing or holds what it should not, the runs are of several data sets, those
            of one model differ in more than size and seeds, or a label of the pair is not there.
    """
    records: Any = results.read_records(source)
    check_columns(records, ("label", "train_size", "seed", "test_accuracy"))
    records = check_runs(records)
    if "data" in records and records["data"].nunique() > 1:
        named = ", ".join(f"{name} ({count} runs)" for name, count in records["data"].value_counts().items())
        raise ValueError(f"{source} holds runs of several data sets: {named}; give the folder of one of them")
    chosen = None
    if choose:
        records, chosen = choose_by_validation(records, choose, by=["label", "train_size"])
        records = records.drop(columns=list(choose))
    records, said = with_metric(records, "test_accuracy")
    _refuse_mixed(records)
    labels = list(dict.fromkeys(records["label"]))
    states = results.status(source) if source.is_dir() else {}
    return Sweep(source, records, states, _pair(labels, pair), chosen, said, lacking(source, records))


def _refuse_mixed(records: pd.DataFrame) -> None:
    """What the curves refuse, with what to do about it on this command."""
    try:
        accuracy_curves(records)
    except ValueError as error:
        settings = [name for name in varying(records) if name not in (*NAMES, "train_size")]
        if not (found := searched(records, settings)):
            raise
        # Neither data nor a budget are for validation to choose: more steps nearly always do better.
        recipe = [name for name in found if not name.startswith("data.") and name not in BUDGETS]
        way = f", or let validation choose, by --choose {','.join(recipe)}" if recipe else ""
        said = str(error).partition("; plot")[0]
        raise ValueError(f"{said}; give the folder of one sweep{way}") from error


def _pair(labels: list[str], asked: Sequence[str] | None) -> tuple[str, str] | None:
    if asked is not None:
        # A label may hold a comma itself.
        halves = ((",".join(asked[:i]), ",".join(asked[i:])) for i in range(1, len(asked)))
        for first, second in halves:
            if first != second and {first, second} <= set(labels):
                return first, second
        raise ValueError(
            f"pair must be two of the models, as {','.join(labels[:2])}, got {','.join(asked)!r}; "
            f"there are {', '.join(labels)}"
        )
    if set(PAIR) <= set(labels):
        return PAIR
    return (labels[0], labels[1]) if len(labels) == 2 else None
