"""The table of a block's runs: one CSV file that grows as runs finish, and from which a study goes on.

Runs that are in the file, but whose folders are gone, count as finished. So the file can be committed while
the study goes on, and another day begins with it alone.

>>> table = Records(Path("outputs/study/60k.csv"), Path("outputs/study/60k"))  # doctest: +SKIP
>>> table.find(config)["test_accuracy"]  # doctest: +SKIP
'0.4388'
"""

import io
from pathlib import Path

import pandas as pd

from vision import results
from vision.config import RunConfig

ID = "config_sha256"
DIVERGED = "NonFiniteLoss"
Row = dict[str, str]


class Records:
    """The records of a sweep's folder, together with those that a file has already.

    Args:
        file: a .csv file; values that it has are kept as they are written there.
        sweep: folder of the runs.
    """

    def __init__(self, file: Path, sweep: Path) -> None:
        self.file, self.sweep = file, sweep
        self._rows = _read(file) if file.exists() else pd.DataFrame()
        self.update()

    def __len__(self) -> int:
        return len(self._rows)

    def update(self) -> None:
        """Add what has finished since, and write the file if there is something new."""
        try:
            new = _as_text(results.flat_table(results.collect(self.sweep)))
        except FileNotFoundError:
            return
        known = set(self._rows[ID]) if len(self._rows) else set[str]()
        new = new[~new[ID].isin(known)]
        if len(new):
            self._rows = _sorted(pd.concat([self._rows, new]).fillna(""))
            self._write()

    def find(self, config: RunConfig) -> Row | None:
        """Return the record of the run with this config, as text; None if it has not finished."""
        if not len(self._rows):
            return None
        found = self._rows[self._rows[ID] == results.fingerprint(config)]
        return {str(name): str(value) for name, value in found.iloc[0].items()} if len(found) else None

    def diverged(self, config: RunConfig) -> bool:
        """Return whether the run with this config failed because its loss was not finite."""
        failure = results.load_failed(results.run_folder(config), config)
        return failure is not None and failure["error"].startswith(DIVERGED)

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.file.with_name(f".{self.file.name}.part")
        self._rows.to_csv(unfinished, index=False)
        unfinished.replace(self.file)


def _read(file: Path) -> pd.DataFrame:
    try:
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise ValueError(f"{file} cannot be read as a table of records: {error}") from error
    if ID not in rows:
        raise ValueError(f"{file} must have a column {ID}, as the tables of a study do; it has {list(rows)}")
    return rows


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it reads in a CSV file, so that old and new rows can stand in one file."""
    return pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype=str, keep_default_na=False)


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    numbers = {name: rows[name].astype(int) for name in ("train_size", "seed")}
    order = rows[["label", "folder"]].assign(**numbers).reset_index(drop=True)
    ranks = order.sort_values(["label", "train_size", "seed", "folder"]).index
    return rows.iloc[ranks].reset_index(drop=True)
