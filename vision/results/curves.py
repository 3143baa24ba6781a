"""The learning curves of a sweep: what its runs wrote at each validation.

>>> learning_curves("outputs/demo", collect("outputs/demo"))  # doctest: +SKIP
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from vision.dynamic import JsonObject
from vision.results.files import HEADS, HEADS_AT_START, METRICS
from vision.results.record import REQUIRED


def learning_curves(sweep: Path | str, records: pd.DataFrame) -> pd.DataFrame:
    """Return one row per validation: folder, label, train_size, seed, step, lr, losses, val_accuracy.

    Args:
        sweep: the folder that `records` was collected from.
        records: the runs whose curves to read.

    Raises:
        FileNotFoundError: a run has no such file.
        ValueError: a file cannot be read.
    """
    rows = [
        who | {name: value for name, value in step.items() if name not in (HEADS, HEADS_AT_START)}
        for who, step in _validations(sweep, records)
    ]
    return pd.DataFrame(rows)


def head_curves(sweep: Path | str, records: pd.DataFrame) -> pd.DataFrame:
    """Return one row per head and validation of runs with training.log_inside=true; step 0 is the start.

    Args:
        sweep: the folder that `records` was collected from.
        records: the runs whose curves to read; those without such a log have no rows.

    Returns:
        Columns folder, label, train_size, seed, step and those of `vision.inspection.measure_heads`.

    Raises:
        FileNotFoundError: a run has no metrics.jsonl.
        ValueError: a file cannot be read.
    """
    rows = [
        {**who, "step": at, **head}
        for who, step in _validations(sweep, records)
        for at, name in ((0, HEADS_AT_START), (step.get("step"), HEADS))
        for head in step.get(name, ())
    ]
    return pd.DataFrame(rows)


def _validations(sweep: Path | str, records: pd.DataFrame) -> Iterator[tuple[JsonObject, JsonObject]]:
    """Yield which run it is, and a line of its metrics.jsonl."""
    for run in records[["folder", *REQUIRED]].to_dict("records"):
        for step in _steps(Path(sweep) / run["folder"] / METRICS):
            yield {name: run[name] for name in ("folder", *REQUIRED)}, step


def _steps(path: Path) -> list[JsonObject]:
    try:
        steps = [json.loads(line) for line in path.read_text().splitlines()]
    except ValueError as error:
        raise ValueError(f"{path} is truncated or not valid JSON ({error})") from error
    if wrong := [step for step in steps if not isinstance(step, dict)]:
        raise ValueError(f"{path} must hold a JSON object in each line, got {wrong[0]!r}")
    return steps
