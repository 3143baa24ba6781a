"""The records of a sweep, or of a file, as one table.

>>> collect("outputs/demo")[["label", "train_size", "test_accuracy"]]  # doctest: +SKIP
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from vision.argument_types import check_type
from vision.config import DISTANCE, OLD_DISTANCE, RENAMED
from vision.dynamic import JsonObject
from vision.results.identity import UNUSED
from vision.results.index import index
from vision.results.record import check_version, table_row
from vision.results.sweep_folder import check_sweep_folder

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a text begins that a spreadsheet would compute
SEPARATORS = (",", ";", "\t")  # of a CSV's columns
NAMES = ("data", "label")  # columns of text, in which "nan" and "None" are names like others


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a table with commas, or with semicolons or tabs and decimal points or commas."""
    with path.open(encoding="utf-8-sig") as file:
        head = file.readline()
    separator = max(SEPARATORS, key=head.count)
    table = pd.read_csv(path, sep=separator)
    if separator != "," and any(table[name].astype(str).str.fullmatch(r"-?\d+,\d+").any() for name in table):
        table = pd.read_csv(path, sep=separator, decimal=",")
    return _with_names(path, separator, table)


def _with_names(path: Path, separator: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the names that pandas took for missing values."""
    missing = [name for name in NAMES if name in table and table[name].isna().any()]
    if not missing:
        return table
    written = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    return table.assign(**{name: written[name].where(written[name] != "", None) for name in missing})


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {".csv": _read_csv, ".parquet": pd.read_parquet}


def read_records(source: Path | str) -> pd.DataFrame:
    """Read the records of a sweep's folder (see `collect`), or of a .csv or .parquet file.

    Returns:
        One row per run. A table without a column `data` is of one data set, named after the file. Settings
        of earlier versions have their present names.

    Warns:
        UserWarning: a run is damaged, and left out.

    Raises:
        FileNotFoundError: it does not exist, or has no finished run.
        ValueError: the file is of another kind, cannot be read, has no rows, or has records of a later
            version.
    """
    records, damages = read_sound_records(source)
    _warn(damages)
    return records


def read_sound_records(source: Path | str) -> tuple[pd.DataFrame, list[str]]:
    """Read records as `read_records`, and return what is wrong with each run that is left out."""
    source = Path(source)
    if source.suffix in READERS and not source.exists():
        raise FileNotFoundError(f"there is no file {source.absolute()}; give a table with one row per run")
    if not source.is_file():
        return _collect(source)
    if source.suffix not in READERS:
        raise ValueError(f"{source} is not a table of records; give a .csv, a .parquet, or a sweep's folder")
    try:
        records = READERS[source.suffix](source)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{source} cannot be read as a table ({error}); give one with one row per run"
        ) from error
    if records.empty:
        raise ValueError(f"{source} has no rows; give a table with one row per run")
    if "record_version" in records:
        versions = pd.to_numeric(records["record_version"], errors="coerce")
        if versions.notna().any():
            check_version(source, float(versions.max()))
    records = current_columns(unquoted(records) if source.suffix == ".csv" else records)
    return (records if "data" in records else records.assign(data=source.stem)), []


def collect(sweep: Path | str) -> pd.DataFrame:
    """Return one row for each finished run below `sweep`.

    The columns are those of result.json (see `vision.results.columns`), `folder`, and each setting under its
    dotted name, such as training.lr. A setting with several values, such as data.mean, is text.

    Warns:
        UserWarning: a run is damaged, and left out. `vision.results.damages` lists them.

    Raises:
        FileNotFoundError: there is no finished run.
        ValueError: no record can be read.
    """
    check_type("sweep", sweep, Path | str)
    records, damages = _collect(Path(sweep))
    _warn(damages)
    return records


def _warn(damages: list[str]) -> None:
    for damage in damages:
        warnings.warn(f"left out: {damage}", stacklevel=3)


def _collect(sweep: Path) -> tuple[pd.DataFrame, list[str]]:
    check_sweep_folder(sweep)
    runs = index(sweep)
    if not runs:
        raise FileNotFoundError(
            f"no finished run below {sweep.absolute()}; `vision status {sweep}` lists its runs by state"
        )
    sound, damaged = ([run for run in runs if bool(run.damage) == wanted] for wanted in (False, True))
    if not sound:
        raise ValueError(damaged[0].damage)
    shared: JsonObject = {}
    rows = [_share({**table_row(run.read()), "folder": run.folder}, shared) for run in sound]
    records = current_columns(pd.DataFrame(rows))
    records = records.sort_values(["label", "train_size", "seed"], ignore_index=True)
    return records, [run.damage for run in damaged]


def _share(row: JsonObject, shared: JsonObject) -> JsonObject:
    """Return a row whose texts, lists and dictionaries are those of an earlier row where they are equal.

    Most columns hold a few different values, and thousands of copies would fill the memory.
    """
    return {
        name: shared.setdefault(f"{type(value)}{value}", value)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, str | list | dict)
        else value
        for name, value in row.items()
    }


def flat_table(records: pd.DataFrame) -> pd.DataFrame:
    """Return records without lists and dictionaries, which a CSV file cannot hold.

    Each package's version becomes a column, such as version.torch.
    """
    versions = pd.json_normalize(records["versions"].tolist()).add_prefix("version.")
    nested = [name for name in records if records[name].map(type).isin([list, dict]).any()]
    return records.drop(columns=nested).join(versions)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table; texts that a spreadsheet would compute get a quote, which `read_records` drops."""

    def with_quote(cell: object) -> object:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell

    table.map(with_quote).to_csv(path, index=False)


def unquoted(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that `write_csv` wrote without the quotes that it added."""

    def without_quote(cell: object) -> object:
        return cell[1:] if isinstance(cell, str) and _is_quoted(cell) else cell

    return table.map(without_quote)


def current_columns(records: pd.DataFrame) -> pd.DataFrame:
    """Return a table of records of any version with the present names of settings.

    A setting that a run leaves out, at the value that changes nothing, has it where other runs have another.
    """
    return _with_unused(_with_current_names(records))


def _with_unused(records: pd.DataFrame) -> pd.DataFrame:
    values = {name: value for name, value in UNUSED.items() if name in records and value is not None}
    cells = {name: f"{v}" if isinstance(v, (list, dict)) else v for name, v in values.items()}
    return records.assign(
        **{name: records[name].where(records[name].notna(), v) for name, v in cells.items()}
    )


def _with_current_names(records: pd.DataFrame) -> pd.DataFrame:
    for old, new in RENAMED.items():
        if old in records and new in records:
            records = records.assign(**{new: records[new].combine_first(records[old])}).drop(columns=old)
    records = records.rename(columns=RENAMED)
    if not {"data.source", OLD_DISTANCE} <= set(records):
        return records
    old_runs = (records["data.source"] == "far_marker") & records[OLD_DISTANCE].notna()
    if not old_runs.any():
        return records
    distance = pd.to_numeric(records[OLD_DISTANCE].where(old_runs))
    if DISTANCE in records:
        distance = pd.to_numeric(records[DISTANCE]).combine_first(distance)
    return records.assign(**{OLD_DISTANCE: records[OLD_DISTANCE].mask(old_runs), DISTANCE: distance})


def _is_quoted(cell: str) -> bool:
    return cell.startswith("'") and cell[1:].startswith(FORMULA)
