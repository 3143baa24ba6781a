"""How far the heads of runs attend during training: the files of a sweep, or a table made from them.

>>> head_distances(Path("outputs/learned_field-digits"), records)  # doctest: +SKIP
"""

from pathlib import Path

import pandas as pd

from vision.results.curves import head_curves
from vision.results.files import HEADS, METRICS
from vision.results.record import REQUIRED
from vision.results.table import unquoted

DISTANCES = "distances.csv"  # next to a table of records
OF_POINT = ["folder", *REQUIRED, "step"]
TYPES = {"folder": "str", "label": "str", "train_size": "int64", "step": "int64", "distance": "float64"}


def head_distances(source: Path, records: pd.DataFrame) -> pd.DataFrame:
    """Return the attention distance of each run, averaged over its heads, at each validation.

    Args:
        source: the folder of a sweep, or a table of records with a file `distances.csv` next to it.
        records: the runs, with the column folder.

    Returns:
        Columns folder, label, train_size, seed, step and distance (pixels); step 0 is before training. Runs
        without training.log_inside, without attention or without metrics.jsonl have no rows.

    Raises:
        ValueError: a file cannot be read.
    """
    if not source.is_dir():
        table = _read(source.with_name(DISTANCES))
        return table[table["folder"].isin(records["folder"])].reset_index(drop=True)
    heads = head_curves(source, records[[_has_heads(source / run) for run in records["folder"]]])
    if heads.empty:
        return pd.DataFrame(columns=[*OF_POINT, "distance"])
    means = heads.groupby(OF_POINT, sort=False)["distance"].mean()
    return means.dropna().reset_index()


def _has_heads(run: Path) -> bool:
    """Return whether a run recorded its heads, without parsing its file: a sweep may have thousands."""
    try:
        return f'"{HEADS}"' in (run / METRICS).read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _read(file: Path) -> pd.DataFrame:
    columns = [*OF_POINT, "distance"]
    if not file.exists():
        return pd.DataFrame(columns=columns)
    try:
        return unquoted(pd.read_csv(file, usecols=columns, dtype=TYPES))
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{file} cannot be read as attention distances ({error}); "
            f"its columns must be {', '.join(columns)}"
        ) from error
