"""Print the table of docs/gpu.md from the figures that gpu_check.py wrote.

    python3 scripts/gpu_table.py outputs/published/gpu-h200/benchmark.csv

Each row is one comparison: the case, the way, its milliseconds or images per second, and the ratio with its
quartiles over the rounds.
"""

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

CASE = (
    "model",
    "params",
    "img_size",
    "grid",
    "k",
    "groups",
    "batch",
    "dtype",
    "memory_format",
    "what",
    "models",
)


def main(arguments: list[str]) -> int:
    """Print the table of one file."""
    print(table(Path(arguments[0])))
    return 0


def table(path: Path) -> str:
    """Return the comparisons of a benchmark.csv as a Markdown table."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if _compares(row)]
    lines = [
        "| row | case | way | figure | ratio (quartiles) | ratio of | n |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    return "\n".join(lines)


def _compares(row: Mapping[str, str]) -> bool:
    """Whether the row has a ratio or a share of the peak, and not that of a way over itself."""
    return "1.0" not in (row["ratio"], row["share"]) and bool(row["ratio"] or row["share"])


def _cells(row: Mapping[str, str]) -> list[str]:
    case = ", ".join(_case(name, row[name]) for name in CASE if row.get(name))
    figure = f"{float(row['ms']):.3g} ms" if row["ms"] else f"{float(row['images_per_s']):,.0f} images/s"
    if row["share"]:
        ratio, of = f"{float(row['share']):.3f}", "share of the matrix peak"
    else:
        ratio = f"{float(row['ratio']):.3g} ({float(row['ratio_low']):.3g} to {float(row['ratio_high']):.3g})"
        of = row["of"]
    return [row["row"], case, row.get("way") or "captured", figure, ratio, of, row["n"]]


def _case(name: str, value: str) -> str:
    if name in ("model", "grid", "what", "memory_format"):
        return value
    if name == "dtype":
        return value.removeprefix("torch.")
    return f"{name} {float(value):,.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
