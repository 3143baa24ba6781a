"""The tables of what was run: chosen settings, differences between models, every run.

>>> run_table(sweep, linked_from=None).caption  # doctest: +SKIP
'One row per run.'
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from vision.report.sweep import Sweep
from vision.report.table_cells import Cell, Table, cell
from vision.report.wording import captions
from vision.statistics.settings import varying_settings

HASH_DIGITS = 10  # the hint shows all
MAX_OPEN_ROWS = 30  # a longer table is closed at first
# Columns of a record that are shown, and their heads.
RECORD_COLUMNS = {
    **{"label": "model", "train_size": "images", "seed": "seed", "test_accuracy": "test %"},
    **{"train_accuracy": "train %", "val_accuracy": "validation %", "steps": "steps"},
    **{"train_seconds": "seconds", "device": "device", "commit": "commit"},
    **{"subset_sha256": "subset", "config_sha256": "config"},
}
HASHES = ("commit", "subset_sha256", "config_sha256")


def choice_table(sweep: Sweep) -> Table | None:
    """Return the settings that validation chose, one row per group; None where nothing was chosen."""
    if sweep.chosen is None:
        return None
    rows = [[cell(value) for value in row] for row in sweep.chosen.itertuples(index=False)]
    heads = [_head(str(name)) for name in sweep.chosen]
    return Table("chosen", "Chosen settings", captions.CHOSEN_TABLE, heads, rows, cards=True)


def settings_table(sweep: Sweep) -> Table:
    """Return the settings in which the models differ, one column each.

    The column model.name is left out where it equals the label.
    """
    records = sweep.records
    same = "model.name" in records and bool((records["model.name"] == records["label"]).all())
    left_out = ("label", "model.label", "train_size", *(("model.name",) if same else ()))
    names = [name for name in varying_settings(records) if name not in left_out]
    rows = [
        [Cell(str(label)), *(_values_cell(runs[name]) for name in names)]
        for label, runs in records.groupby("label")
    ]
    heads = ["label", *map(_head, names)]
    return Table(
        "settings", "Differences between the models", captions.SETTINGS_TABLE, heads, rows, cards=True
    )


def run_table(sweep: Sweep, linked_from: Path | None) -> Table:
    """Return every run with its results and hashes, linked from the folder of the page if given."""
    shown = [name for name in RECORD_COLUMNS if name in sweep.records]
    links = sweep.is_folder and linked_from is not None
    rows: list[list[Cell]] = []
    for run in sweep.records.to_dict("records"):
        cells = [_run_cell(name, run[name]) for name in shown]
        if sweep.is_folder and linked_from is not None:
            folder = os.path.relpath(sweep.source / str(run["folder"]), linked_from)
            cells[0] = Cell(cells[0].text, link=f"{quote(Path(folder).as_posix())}/")
        rows.append(cells)
    heads = [RECORD_COLUMNS[name] for name in shown]
    caption = captions.runs_table(linked=links)
    return Table("runs", "Runs", caption, heads, rows, folded=len(rows) > MAX_OPEN_ROWS)


def _head(setting: str) -> str:
    """Return a setting without its group; its last part alone, such as kernel_size, may not be unique."""
    return setting.removeprefix("model.kwargs.").removeprefix("training.")


def _run_cell(name: str, value: Any) -> Cell:
    if pd.isna(value):
        return Cell("")
    if name.endswith("_accuracy"):
        return Cell(f"{100 * value:.2f}", 100 * value)
    if name in HASHES:
        return Cell(str(value)[:HASH_DIGITS], hint=str(value))
    return cell(value)


def _values_cell(column: pd.Series) -> Cell:
    values = column.drop_duplicates().tolist()
    return cell(values[0]) if len(values) == 1 else Cell(", ".join(cell(value).text for value in values))
