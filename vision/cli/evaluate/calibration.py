"""The calibration of finished runs, from their logits; no model is built.

>>> evaluate_calibration(Path("outputs/demo"), runs)  # doctest: +SKIP
[]
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vision import results
from vision.cli.evaluate.runs import FinishedRun, left_out
from vision.dynamic import JsonObject, TableRow
from vision.results.evaluations import CHECKSUM
from vision.statistics import BINNINGS, calibration_bins

KEY = ("folder", CHECKSUM, "kind", "level")


def evaluate_calibration(sweep: Path, runs: Sequence[FinishedRun]) -> list[str]:
    """Write the bins of each run's calibration, and return a sentence on runs without logits.

    Raises:
        ValueError: no run has logits.
    """
    table = results.EvaluationTable(sweep, "calibration", key=KEY)
    without: list[str] = []
    for run in runs:
        if not (run.path / results.LOGITS).is_file():
            without.append(str(run.row["folder"]))
        elif not table.has(**run.key, kind=BINNINGS[0], level=1):
            table.add(_bins(sweep, run))
    if runs and len(without) == len(runs):
        raise ValueError(
            f"none of the {len(runs)} runs with weights has {results.LOGITS}, such as {without[0]}: they are "
            "older than this file, or had save_logits=false; leave calibration out of --with"
        )
    missing = left_out(without, f"no {results.LOGITS}")
    return [f"{missing} (calibration)"] if missing else []


def _bins(sweep: Path, run: FinishedRun) -> list[JsonObject]:
    """Return one row for each binning and bin of a run."""
    logits, labels = results.logits(sweep, pd.DataFrame([run.row]))
    rows: list[JsonObject] = []
    for binning in BINNINGS:
        bins: list[TableRow] = calibration_bins(logits[0], labels.astype(np.int64), binning=binning).to_dict(
            "records"
        )
        rows += [
            {
                **run.columns,
                "kind": binning,
                "level": row["bin"],
                **{name: row[name] for name in ("images", "confidence", "accuracy")},
            }
            for row in bins
        ]
    return rows
