"""The tables of a page that say what was run: chosen settings, what differs between models, every run.

>>> run_table(sweep, linked_from=None).caption  # doctest: +SKIP
'Every run.'
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from vision.report.sweep import Sweep
from vision.report.table_cells import Cell, Table, cell, short
from vision.statistics.records import varying

HASH = 10  # digits of a hash that are shown; all are in the hint
FOLDED = 30  # rows from which on a table is folded
COLUMNS = {
    **{"label": "model", "train_size": "images", "seed": "seed", "test_accuracy": "test %"},
    **{"train_accuracy": "train %", "val_accuracy": "validation %", "steps": "steps"},
    **{"train_seconds": "seconds", "device": "device", "commit": "commit"},
    **{"subset_sha256": "subset", "config_sha256": "config"},
}


def choice_table(sweep: Sweep) -> Table | None:
    """Settings that validation chose, a row a group; None where nothing was chosen."""
    if sweep.chosen is None:
        return None
    rows = [[cell(value) for value in row] for row in sweep.chosen.itertuples(index=False)]
    caption = "Chosen by the validation images, which the test images have no say in."
    return Table("chosen", "Chosen settings", caption, [short(name) for name in sweep.chosen], rows)


def settings_table(sweep: Sweep) -> Table:
    """Settings in which the models differ, a column each; without the name where the label is the same."""
    records: Any = sweep.records
    same = "model.name" in records and (records["model.name"] == records["label"]).all()
    passed = ("label", "model.label", "train_size", *(("model.name",) if same else ()))
    names = [name for name in varying(records) if name not in passed]
    by_label: Any = sweep.records.groupby("label")
    rows = [[Cell(label), *(_several(runs[name]) for name in names)] for label, runs in by_label]
    caption = "Settings in which the runs differ beside size and seeds; all others are the same for all."
    return Table("settings", "What differs between the models", caption, ["label", *map(short, names)], rows)


def run_table(sweep: Sweep, linked_from: Path | None) -> Table:
    """Every run with its figures and hashes, linked from the folder of the page if that is given."""
    there = [name for name in COLUMNS if name in sweep.records]
    rows = []
    for run in sweep.records.to_dict("records"):
        cells = [_run_cell(name, run[name]) for name in there]
        if sweep.is_folder and linked_from is not None:
            folder = os.path.relpath(sweep.source / run["folder"], linked_from)
            cells[0] = Cell(cells[0].text, link=f"{quote(Path(folder).as_posix())}/")
        rows.append(cells)
    lead = "; its name leads to its folder: config, record, learning curve, predictions, weights"
    caption = f"Every run{lead if any(row[0].link for row in rows) else ''}."
    return Table("runs", "Runs", caption, [COLUMNS[name] for name in there], rows, folded=len(rows) > FOLDED)


def _run_cell(name: str, value: Any) -> Cell:
    if pd.isna(value):
        return Cell("")
    if name.endswith("_accuracy"):
        return Cell(f"{100 * value:.2f}", 100 * value)
    if name in ("commit", "subset_sha256", "config_sha256"):
        return Cell(str(value)[:HASH], hint=str(value))
    return cell(value)


def _several(column: Any) -> Cell:
    values = column.drop_duplicates().tolist()
    return cell(values[0]) if len(values) == 1 else Cell(", ".join(cell(value).text for value in values))
