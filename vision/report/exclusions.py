"""What a page leaves out, and the sentence that says so.

>>> with_metric(records, "test_accuracy")[1]  # doctest: +SKIP
['3 runs of CNN have no test_accuracy and are left out.']
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from vision import results

SHOWN = 3  # runs that are named


def with_metric(records: pd.DataFrame, metric: str) -> tuple[Any, list[str]]:
    """The runs that have a metric, and a sentence for each model that has runs without.

    Where no run has it, or there is no such column, all are kept: the analysis refuses them by name.
    """
    missing: Any = records[metric].isna() if metric in records else pd.Series(False, index=records.index)
    if missing.all() or not missing.any():
        return records, []
    kept: Any = records[~missing]
    gone: Any = records[missing]
    if "label" not in records:
        return kept, [f"{_runs(len(gone))} no {metric} and {_are(len(gone))} left out."]
    left = set(kept["label"])
    return kept.reset_index(drop=True), [
        f"{_runs(count, label)} no {metric} and {_are(count)} left out"
        + ("." if label in left else f"; no run of {label} is left.")
        for label, count in gone["label"].value_counts(sort=False).items()
    ]


def lacking(source: Path, records: pd.DataFrame) -> dict[str, list[str]]:
    """Side files -> the run folders in which they should be, and are not."""
    if not source.is_dir():
        return {}
    later: Any = records[records["classes"].notna()] if "classes" in records else records.iloc[:0]
    owners = {results.METRICS: records, results.PREDICTIONS: later, results.LABELS: later}
    found = {
        name: [folder for folder in own["folder"] if not (source / folder / name).is_file()]
        for name, own in owners.items()
    }
    return {name: folders for name, folders in found.items() if folders}


def said_of_lacking(missing: dict[str, list[str]]) -> list[str]:
    """A sentence for each side file that runs lack, with the first of them."""
    said = []
    for name, folders in missing.items():
        named = ", ".join(folders[:SHOWN]) + (", …" if len(folders) > SHOWN else "")
        drawn = "learning curves" if name == results.METRICS else "what is drawn of predictions"
        said.append(f"{_runs(len(folders))} no {name} and {_are(len(folders))} left out of {drawn}: {named}.")
    return said


@contextmanager
def said_if_left_out(what: str, said: list[str]) -> Iterator[None]:
    """An error of the block leaves out one part of the page, and is added to `said`."""
    try:
        yield
    except (ValueError, OSError, EOFError) as error:
        said.append(f"The {what} is left out: {str(error).rstrip('.')}.")


def searched(records: pd.DataFrame, settings: Sequence[str]) -> list[str]:
    """Those of the settings in which the runs of one model differ."""
    groups: Any = records.groupby("label")
    return [name for name in settings if (groups[name].nunique(dropna=False) > 1).any()]


def _runs(count: int, label: Any = None) -> str:
    named = "" if label is None else f" of {label}"
    return f"1 run{named} has" if count == 1 else f"{count} runs{named} have"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
