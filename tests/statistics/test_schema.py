"""The columns that statistics, page and docs use are columns of a record."""

import re
from pathlib import Path

from vision.report import methods, run_tables
from vision.results import columns
from vision.statistics import columns as read
from vision.statistics import pairs

DOCS = Path(__file__).parents[2] / "docs" / "statistics.md"


def test_every_list_of_columns_is_part_of_the_record():
    known = set(columns())
    statistics = {*read.COLUMNS, *read.RUN_KEYS, *read.REQUIRED, *read.ACCURACIES, *read.COSTS}
    assert statistics | set(pairs.SAME_IN_PAIR) <= known
    assert set(run_tables.RECORD_COLUMNS) | set(methods.RECORD_COLUMNS.values()) <= known


def test_the_docs_table_has_the_columns_of_the_statistics():
    table = DOCS.read_text().split("## The table")[1].split("## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .* \| (yes|no) \|$", table, flags=re.MULTILINE)
    assert {name for name, _ in rows} == {*read.COLUMNS, *pairs.SAME_IN_PAIR}
    assert {name for name, required in rows if required == "yes"} == {*read.REQUIRED, "test_accuracy"}
