"""The learning curves of a sweep: what its runs wrote at each validation.

>>> learning_curves("outputs/demo", collect("outputs/demo"))  # doctest: +SKIP
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from vision.results.files import METRICS
from vision.results.record import REQUIRED


def learning_curves(sweep: Path | str, records: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each validation: label, train_size, seed, step, lr, losses, val_accuracy.

    Args:
        sweep: the folder that `records` was collected from.
        records: the runs whose curves to read.

    Raises:
        FileNotFoundError: a run has no such file.
        ValueError: a file cannot be read.
    """
    rows = [
        {name: run[name] for name in REQUIRED} | step
        for run in records.to_dict("records")
        for step in _steps(Path(sweep) / run["folder"] / METRICS)
    ]
    return pd.DataFrame(rows)


def _steps(path: Path) -> list[dict[str, Any]]:
    try:
        steps = [json.loads(line) for line in path.read_text().splitlines()]
    except ValueError as error:
        raise ValueError(f"{path} is truncated or not valid JSON ({error})") from error
    if wrong := [step for step in steps if not isinstance(step, dict)]:
        raise ValueError(f"{path} must hold a JSON object in each line, got {wrong[0]!r}")
    return steps
