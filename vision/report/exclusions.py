"""What a page leaves out: runs without a metric or without files, and parts that fail.

>>> with_metric(pd.DataFrame({"label": ["CNN", "CNN"], "test_accuracy": [0.5, None]}), "test_accuracy")[1]
['1 run of CNN has no test_accuracy and is left out.']
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from vision import results
from vision.report.wording import gaps
from vision.statistics.record_values import repeated_rows

PARTS = {results.METRICS: "the learning curves"}
PREDICTION_PARTS = "the figures and tables of predictions"


def without_repeats(records: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return each row once, and a sentence if any repeats another one, but for its folder."""
    repeats = repeated_rows(records)
    if not repeats.any():
        return records, []
    return records[~repeats].reset_index(drop=True), [gaps.repeated(int(repeats.sum()))]


def with_metric(records: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the runs that have a metric, and a sentence for each model that has runs without it.

    If no run has it, or there is no such column, all runs are returned: the statistics then refuse them.
    """
    missing = records[metric].isna() if metric in records else pd.Series(False, index=records.index)
    if missing.all() or not missing.any():
        return records, []
    kept, gone = records[~missing].reset_index(drop=True), records[missing]
    if "label" not in records:
        return kept, [gaps.without_metric(None, len(gone), metric, any_left=True)]
    left = set(kept["label"].tolist())
    counts = gone["label"].value_counts(sort=False)
    return kept, [
        gaps.without_metric(str(label), int(count), metric, any_left=label in left)
        for label, count in zip(counts.index.tolist(), counts.tolist(), strict=True)
    ]


def missing_files(source: Path, records: pd.DataFrame) -> dict[str, list[str]]:
    """Return the run folders in which each file next to the record is missing or altered."""
    if not source.is_dir():
        return {}
    # Records of version 1 have no classes, and their runs kept no labels.
    later = records[records["classes"].notna()] if "classes" in records else records.iloc[:0]
    owners = {results.METRICS: records, results.PREDICTIONS: later, results.LABELS: later}
    altered = results.altered_files(source, owners)
    missing = {
        name: [
            folder
            for folder in own["folder"].tolist()
            if folder in altered[name] or not (source / folder / name).is_file()
        ]
        for name, own in owners.items()
    }
    return {name: folders for name, folders in missing.items() if folders}


def missing_file_sentences(missing: dict[str, list[str]]) -> list[str]:
    """Return a sentence for each file that runs do not have."""
    return [
        gaps.without_file(name, folders, of=PARTS.get(name, PREDICTION_PARTS))
        for name, folders in missing.items()
    ]


@contextmanager
def skip_on_error(part: str, sentences: list[str]) -> Generator[None]:
    """Skip a part of the page whose making raises an error, and append a sentence about it."""
    try:
        yield
    except (ValueError, OSError, EOFError) as error:
        sentences.append(gaps.left_out(part, str(error)))


def searched_settings(records: pd.DataFrame, settings: Sequence[str]) -> list[str]:
    """Return those of the settings in which the runs of one model differ."""
    groups = records.groupby("label")
    return [name for name in settings if (groups[name].nunique(dropna=False) > 1).any()]
