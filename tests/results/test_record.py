"""The schema of a record: its columns, and how records become rows of a table."""

from dataclasses import fields

import pytest

from vision.results.record import RECORD_VERSION, REQUIRED, Record, check_version, columns, table_row


def test_every_column_has_a_type_and_one_sentence():
    table = columns()
    assert list(table) == [field.name for field in fields(Record)]
    for name, column in table.items():
        assert column.type and column.description.endswith("."), name
        assert ". " not in column.description, name
    assert table["val_loss"].type == "float | None" and table["val_loss"].unit == "nats"
    assert table["classes"].type == "list[str]"
    assert set(REQUIRED) <= set(table)


def test_a_row_has_a_column_for_each_setting():
    record = {"label": "CNN", "seed": 1, "settings": {"seed": 1, "training.lr": 0.1, "data.mean": [0.5]}}
    assert table_row(record) == {"label": "CNN", "seed": 1, "training.lr": 0.1, "data.mean": "[0.5]"}
    assert table_row({"label": "CNN", "settings": None}) == {"label": "CNN"}


def test_a_later_version_is_refused(tmp_path):
    check_version(tmp_path, RECORD_VERSION)
    with pytest.raises(ValueError, match=f"is a record of version {RECORD_VERSION + 1}"):
        check_version(tmp_path, RECORD_VERSION + 1)
