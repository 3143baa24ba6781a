"""docs/gpu.md shows the measured figures: its table is made from the CSV, and its summary agrees with it."""

import csv
from pathlib import Path

import gpu_table
import pytest

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "outputs" / "published" / "gpu-h200" / "benchmark.csv"
PAGE = (ROOT / "docs" / "gpu.md").read_text()


def test_the_table_is_that_of_the_figures():
    assert gpu_table.table(FIGURES) in PAGE


def value(row: str, column: str = "ratio", **wanted: str) -> float:
    with FIGURES.open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["row"] == row]
    (one,) = [r for r in rows if all(r[name] == text for name, text in wanted.items())]
    return float(one[column])


SUMMARY = [
    ("step of a micro ViT (0.2M parameters, batch 64): eager over captured", 10.0, "step_vit_graphed_step"),
    ("step of a micro CNN, the same", 9.6, "step_cnn_graphed_step"),
    ("local attention k=3, dense over flex, 32x32", 3.8, "attention_32"),
    ("local attention k=3, dense over flex, 64x64, blocks of 128", 9.1, "attention_64"),
    ("the same, forward and backward", 0.75, "conversion"),
]
WAYS = {
    "attention_32": {"way": "flex in blocks of 64"},
    "attention_64": {"way": "flex"},
    "conversion": {"way": "fast", "what": "forward and backward"},
}


@pytest.mark.parametrize(("what", "figure", "row"), SUMMARY)
def test_the_summary_agrees(what, figure, row):
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {what} |"))
    assert float(line.split("|")[3]) == figure
    own = {"way": "graphed_step"} if row.startswith("step") else WAYS[row]
    digits = len(str(figure).partition(".")[2])
    assert round(value(row, **own), digits) == figure


def test_the_counts_of_tests_agree():
    with FIGURES.with_name("tests.csv").open(newline="") as file:
        outcomes = [row["outcome"] for row in csv.DictReader(file)]
    passed = outcomes.count("passed")
    assert f"{passed} of {len(outcomes) - outcomes.count('skipped')}" in PAGE
