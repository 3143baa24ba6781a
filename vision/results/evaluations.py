"""The tables of `vision evaluate`: DIR/evaluations/NAME.csv, with one row for each run, kind and level.

>>> read_evaluations(Path("outputs/demo"))["corruptions"].columns[:4].tolist()  # doctest: +SKIP
['folder', 'label', 'train_size', 'seed']
"""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from vision.results.checksums import checked_files
from vision.results.files import TEMPORARY, WEIGHTS
from vision.results.index import index
from vision.results.table import unquoted, write_csv
from vision.saved_files import known_sha256

EVALUATIONS = "evaluations"
OF_RUN = ("folder", "label", "train_size", "seed", "subset_seed")
CHECKSUM = "weights_sha256"
KEY = ("folder", CHECKSUM, "kind", "level", "images")
TEXTS = ("folder", "label", "kind", CHECKSUM)  # in which "nan" is a name like others
LOCK = ".lock"


class EvaluationTable:
    """One table, open for writing: rows are kept as soon as they are added, and old rows stay.

    Args:
        sweep: the folder of the sweep.
        name: of the evaluation.
        key: the columns by which a row is known.

    Raises:
        ValueError: the file there is not such a table.
    """

    def __init__(self, sweep: Path, name: str, *, key: Iterable[str] = KEY) -> None:
        self.path, self._key = evaluation_file(sweep, name), tuple(key)
        self._rows = _read(self.path) if self.path.exists() else pd.DataFrame()
        if missing := [column for column in self._key if len(self._rows) and column not in self._rows]:
            raise ValueError(
                f"{self.path} has no column {missing[0]}; move it away and run the command again"
            )
        rows = self._rows[list(self._key)].to_dict("records") if len(self._rows) else []
        self._known = {self._key_of(row) for row in rows}

    def has(self, **key: Any) -> bool:
        """Return whether there is such a row."""
        return self._key_of(key) in self._known

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write further rows; the file is replaced at once, so that a kill loses nothing."""
        new = [dict(row) for row in rows]
        if not new:
            return
        self._known |= {self._key_of(row) for row in new}
        self._rows = pd.concat([self._rows, pd.DataFrame(new)], ignore_index=True)
        self.path.parent.mkdir(exist_ok=True)
        temporary = self.path.with_name(f"{TEMPORARY}{self.path.name}-{secrets.token_hex(4)}")
        try:
            write_csv(self._rows, temporary)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def _key_of(self, row: Mapping[Any, Any]) -> tuple[Any, ...]:
        values = (row[name] for name in self._key)
        return tuple(value if isinstance(value, str) else float(value) for value in values)


class WritingEvaluations:
    """Holds the tables of a sweep, so that two commands do not overwrite each other's rows.

    Raises:
        ValueError: another process writes them, or the folder cannot be written.
    """

    def __init__(self, sweep: Path) -> None:
        self._folder = sweep / EVALUATIONS
        self._lock = FileLock(self._folder / LOCK, timeout=0)

    def __enter__(self) -> None:
        try:
            self._folder.mkdir(exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise ValueError(f"another `vision evaluate` writes into {self._folder}; wait for it") from error
        except OSError as error:
            raise ValueError(f"{self._folder} cannot be written: {error.strerror}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


def evaluation_file(sweep: Path, name: str) -> Path:
    """Return the file of an evaluation."""
    return sweep / EVALUATIONS / f"{name}.csv"


def read_evaluations(source: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a sweep by the name of the evaluation; none where there are none.

    Rows of runs whose weights are no longer those that were evaluated are left out. Of rows that differ in
    the number of images, those with the most are returned.

    Args:
        source: the folder of a sweep, or a table of records with a folder `evaluations` next to it.

    Raises:
        ValueError: a file cannot be read.
    """
    folder = (source if source.is_dir() else source.parent) / EVALUATIONS
    files = sorted(folder.glob("*.csv"))
    if not files:
        return {}
    weights = weights_of_runs(source) if source.is_dir() else None
    tables = {file.stem: _current(_read(file), weights) for file in files}
    return {name: table for name, table in tables.items() if len(table)}


def weights_of_runs(sweep: Path) -> dict[str, str]:
    """Return the SHA-256 of the weights of each sound run that has some, by its folder."""
    found: dict[str, str] = {}
    for run in index(sweep):
        if run.damage:
            continue
        checksum = checked_files(run.read()).get(WEIGHTS)
        file = sweep / run.folder / WEIGHTS
        if checksum is None and file.is_file():  # a run of a version before 4
            checksum = known_sha256(file)
        if checksum is not None:
            found[run.folder] = checksum
    return found


def _read(path: Path) -> pd.DataFrame:
    try:
        texts = dict.fromkeys(TEXTS, "str")
        table = unquoted(pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""]))
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}); move it away and run the command again"
        ) from error
    if missing := [name for name in (*OF_RUN, CHECKSUM) if name not in table]:
        raise ValueError(f"{path} has no column {missing[0]}; move it away and run the command again")
    return table


def _current(table: pd.DataFrame, weights: Mapping[str, str] | None) -> pd.DataFrame:
    if weights is not None:
        table = table[table["folder"].map(weights) == table[CHECKSUM]]
    if "confidence" not in table:  # the bins of a calibration have different numbers of images
        table = table[table["images"] == table.groupby("kind", dropna=False)["images"].transform("max")]
    return table.reset_index(drop=True)
