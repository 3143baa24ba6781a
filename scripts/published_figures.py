"""Draw the figures of outputs/published again from the records next to them, as `vision plot` draws them now.

    python scripts/published_figures.py                  # all, about a minute
    python scripts/published_figures.py long_range       # of one folder

The tables stay as they are.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from vision.cli import main as vision

PUBLISHED = Path(__file__).parents[1] / "outputs" / "published"
KERNEL_SIZE = "model.kwargs.mixer_options.kernel_size"
# Folder of a figure -> the table of its runs, or several, and the options of `vision plot`.
FIGURES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "cifar10-jpeg": (("records.csv",), []),
    "positions-cifar10-jpeg": (("records.csv",), []),
    "soften-cifar10-jpeg": (("records.csv",), []),
    "mixers-cifar10-jpeg": (("records.csv",), ["--x", "label", "--line", "train_size"]),
    "budget-cifar10-jpeg": (
        ("records.csv",),
        ["--line", "training.steps,training.epochs", "--panel", "label"],
    ),
    "recipe-cifar10-jpeg": (("records.csv",), ["--choose", "training.lr,training.weight_decay"]),
    "recipe-cifar10-jpeg/search": (
        ("../records.csv",),
        [
            *("--x", "training.lr", "--line", "training.weight_decay", "--panel", "label,train_size"),
            *("--metric", "val_accuracy"),
        ],
    ),
    "receptive_field-cifar10-jpeg": (("records.csv",), ["--line", KERNEL_SIZE, "--panel", "model.name"]),
    "receptive_field-cifar10-jpeg/by_field": (
        ("../records.csv",),
        ["--x", KERNEL_SIZE, "--line", "train_size", "--panel", "model.name"],
    ),
    "long_range": (("records.csv",), ["--x", "data.options.distance", "--xlabel", "distance in pixels"]),
    "study-cifar10-jpeg": (("steps.csv", "epochs.csv"), ["--panel", "training.steps,training.epochs"]),
}
# Folder -> the table of its runs, the models to compare first, and the figures of its page to keep.
PAGES = {
    "features-cifar10-jpeg": ("records.csv", "plain CNN,ViT", ("probe", "transfer", "accuracy")),
    "comparison-cifar10-jpeg": (
        "60k.csv",
        "plain CNN,ViT",
        ("gain", "accuracy", "cost", "kernel-share", "corruptions"),
    ),
    "learned_field-cifar10-jpeg": (
        "records.csv",
        "CNN,ViT",
        ("heads", "distance", "kernel-share", "accuracy"),
    ),
}


def draw(folder: Path, tables: tuple[str, ...], options: list[str]) -> int:
    """Draw one figure and put it into its folder; return the exit status of `vision plot`."""
    with TemporaryDirectory() as scratch:
        records = Path(scratch) / "runs.csv"
        pd.concat([pd.read_csv(folder / name) for name in tables]).to_csv(records, index=False)
        out = Path(scratch) / "figure"
        if status := vision(["plot", str(records), "--out", str(out), *options]):
            return status
        _keep(["accuracy"], out, folder)
    return 0


def draw_page(folder: Path, table: str, pair: str, figures: tuple[str, ...]) -> int:
    """Draw some figures of the page of a table; return the exit status of `vision report`."""
    with TemporaryDirectory() as scratch:
        out = ["--out", f"{scratch}/report.html", "--figures", scratch, "--pair", pair]
        if status := vision(["report", str(folder / table), *out]):
            return status
        _keep(figures, Path(scratch), folder)
    return 0


def _keep(figures: Sequence[str], drawn: Path, folder: Path) -> None:
    for name in figures:
        for kind in ("png", "svg"):
            shutil.copy(drawn / f"{name}.{kind}", folder / f"{name}.{kind}")


def main() -> int:
    """Draw the figures of the folders that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="folders below outputs/published")
    asked = parser.parse_args().folders
    known = {**FIGURES, **PAGES}
    if unknown := [name for name in asked if name not in known]:
        parser.error(f"FOLDER must be one of {', '.join(known)}, got {', '.join(unknown)}")
    chosen = asked or known
    drawn = [draw(PUBLISHED / name, *FIGURES[name]) for name in chosen if name in FIGURES]
    pages = [draw_page(PUBLISHED / name, *PAGES[name]) for name in chosen if name in PAGES]
    return max(drawn + pages)


if __name__ == "__main__":
    sys.exit(main())
