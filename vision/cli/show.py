"""What is there: the page over a sweep, its figures beside published ones, its state; the list of models.

>>> status(Path("outputs/data_size-digits"))  # doctest: +SKIP
"""

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from vision import results
from vision.cli.console import console, home, say


def report(
    source: Path,
    *,
    out: Path | None,
    pair: str | None,
    choose: str | None,
    figures: Path | None,
    links: bool,
) -> int:
    """Write the page over a sweep, and print its answer; see `vision.report.write_report`."""
    from vision.report import write_report

    out = out or home(source) / "report.html"
    with console().status("drawing"):
        page = write_report(
            source,
            out,
            pair=_names(pair),
            choose=_names(choose),
            figures=figures,
            links=links,
        )
    for line in (page.answer, *page.warnings, *page.findings, f"wrote {out}"):
        say(line)
    return 0


def compare(source: Path, *, choose: str | None) -> int:
    """Print the figures of the sweep beside those that others published for the same number of images."""
    from vision.report.sweep import read_sweep
    from vision.statistics import beside_published
    from vision.statistics.published import accuracy_text

    sweep = read_sweep(source, choose=_names(choose))
    found = beside_published(sweep.records)
    table = Table("images", "model", "parameters", "accuracy, %", "how", "source", box=SIMPLE_HEAD)
    for size, rows in found.groupby("train_size"):
        for row in rows.to_dict("records"):
            params = "" if pd.isna(row["params"]) else f"{row['params']:,.0f}"
            table.add_row(f"{size:,}", row["model"], params, accuracy_text(row), row["how"], row["source"])
        table.add_section()
    console().print(table)
    for line in sweep.left_out:
        say(line)
    return 0


def status(folder: Path) -> int:
    """Print how many runs of a sweep are finished, failed, running and missing; 1 unless all are finished."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder.absolute()} is no folder; give the folder of a sweep, as outputs/NAME"
        )
    states = results.status(folder)
    if not any(states.values()):
        raise FileNotFoundError(
            f"no run below {folder.absolute()}; give the folder of a sweep, as outputs/NAME"
        )
    say(", ".join(f"{len(runs)} {state}" for state, runs in states.items()))
    for run in states["failed"]:
        say(f"failed: {folder / run}: {results.why_failed(folder / run)}")
    for run in states["missing"]:
        say(f"missing: {folder / run}")
    return int(any(runs for state, runs in states.items() if state != "finished"))


def models(pattern: str | None) -> int:
    """Print our models with their cost on a 32 x 32 image, and timm's names that match `pattern`."""
    import timm

    from vision.models import cost, our_models

    ours = [name for name in our_models() if not pattern or name in timm.list_models(pattern)]
    if ours:
        table = Table(
            "model", "parameters", "multiply-adds", "what it is", title="ours, for 3 x 32 x 32 and 10 classes"
        )
        for name in ours:
            model = timm.create_model(name)
            size = cost(model, (3, 32, 32))
            about = (timm.model_entrypoint(name).__doc__ or "").strip()
            table.add_row(name, f"{size.params:,}", f"{size.macs:,}", about)
        console().print(table)
    others = [name for name in timm.list_models(pattern or "") if name not in ours]
    if pattern:
        for name in others:
            say(name)
        if not ours and not others:
            raise ValueError(f"no model matches PATTERN {pattern!r}; try 'resnet*', or no pattern for ours")
    else:
        say(f"and {len(others)} of timm's; vision models 'convnext*' lists those that match")
    return 0


def _names(joined: str | None) -> list[str] | None:
    return None if joined is None else joined.split(",")
