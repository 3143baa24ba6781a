"""The finished runs that `vision evaluate` looks at, and those that it leaves out.

>>> runs, left_out = find_runs(Path("outputs/demo"), results.collect("outputs/demo"))  # doctest: +SKIP
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vision import results
from vision.dynamic import JsonObject, TableRow
from vision.provenance import provenance
from vision.results.evaluations import CHECKSUM, OF_RUN
from vision.saved_files import known_sha256


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A finished run whose weights are those that it wrote.

    Attributes:
        path: its folder.
        row: its record as a row of a table.
        weights: SHA-256 of its weights.
    """

    path: Path
    row: TableRow
    weights: str

    @property
    def key(self) -> JsonObject:
        """The columns that tell its rows from those of other runs, and of other weights in its folder."""
        return {"folder": self.row["folder"], CHECKSUM: self.weights}

    @property
    def columns(self) -> JsonObject:
        """The columns of a table of evaluations that say which run a row is of."""
        of_run = {name: self.row.get(name) for name in OF_RUN}
        return {**of_run, CHECKSUM: self.weights, "commit": provenance()["commit"]}


def find_runs(sweep: Path, records: pd.DataFrame) -> tuple[list[FinishedRun], list[str]]:
    """Return the runs with intact weights, and a sentence on those without.

    Raises:
        ValueError: no run has weights.
    """
    known = results.weights_of_runs(sweep)
    runs: list[FinishedRun] = []
    without, altered = list[str](), list[str]()
    rows: list[TableRow] = records.to_dict("records")
    for row in rows:
        file = sweep / row["folder"] / results.WEIGHTS
        if not file.is_file():
            without.append(row["folder"])
        elif (found := known_sha256(file)) != known.get(row["folder"]):
            altered.append(row["folder"])
        else:
            runs.append(FinishedRun(file.parent, row, found))
    if not runs and not altered:
        raise ValueError(
            f"none of the {len(rows)} finished runs below {sweep} has weights ({results.WEIGHTS}), such as "
            f"{without[0]}; train them again in another sweep"
        )
    sentences = [left_out(without, f"no {results.WEIGHTS}"), left_out(altered, "altered weights")]
    return runs, [one for one in sentences if one]


def left_out(folders: list[str], why: str) -> str:
    """Return a sentence on runs that are left out; empty without any.

    >>> left_out(["CNN/n100/s0", "CNN/n100/s1"], "no logits")
    'left out: 2 runs with no logits, such as CNN/n100/s0'
    """
    if not folders:
        return ""
    such = f"s with {why}, such as" if len(folders) > 1 else f" with {why}:"
    return f"left out: {len(folders)} run{such} {folders[0]}"
