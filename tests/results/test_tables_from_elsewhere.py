"""Tables of records that other programs wrote: semicolons, tabs, decimal commas, labels like nothing."""

import pytest

from vision.results import read_records

ROWS = "label;train_size;seed;test_accuracy\n{};100;0;0{}5\nViT;100;0;0{}75\n"


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize(("mark", "label"), [(",", "CNN"), (".", "CNN"), (",", "nan"), (".", "块")])
def test_semicolons_and_tabs(tmp_path, separator, mark, label):
    path = tmp_path / "records.csv"
    path.write_text(ROWS.format(label, mark, mark).replace(";", separator), encoding="utf-8")
    records = read_records(path)
    assert records["label"].tolist() == [label, "ViT"]
    assert records["test_accuracy"].tolist() == [0.5, 0.75]


@pytest.mark.parametrize("label", ["nan", "None", "NA", "null", "True"])
def test_labels_are_text(tmp_path, label):
    path = tmp_path / "records.csv"
    path.write_text(ROWS.format(label, ".", ".").replace(";", ","), encoding="utf-8-sig")
    records = read_records(path)
    assert [str(name) for name in records["label"]] == [label, "ViT"]
    assert records["test_accuracy"].tolist() == [0.5, 0.75]


def test_a_missing_label_stays_missing(tmp_path):
    path = tmp_path / "records.csv"
    path.write_text(ROWS.format("", ".", ".").replace(";", ","))
    assert read_records(path)["label"].isna().tolist() == [True, False]
