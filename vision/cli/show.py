"""What is there, on the terminal and as files: the tables and figures of a sweep, the list of models.

>>> status(Path("outputs/data_size-digits"))  # doctest: +SKIP
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from vision import results


def plot(folder: Path, out: Path) -> int:
    """Write the accuracy curves, records and averages of the sweep in `folder`, and print the table."""
    from vision.analysis import accuracy_curves
    from vision.plots import plot_accuracy

    records = results.collect(folder)
    _refuse_mixed_recipes(records)
    curves = accuracy_curves(records)
    states = results.status(folder)
    console = Console()
    console.print(_cost_table(records), _accuracy_table(curves, records))
    unfinished = {state: len(runs) for state, runs in states.items() if runs and state != "finished"}
    if unfinished:
        console.print(", ".join(f"{count} {state}" for state, count in unfinished.items()) + " beside these")
    out.mkdir(parents=True, exist_ok=True)
    title = f"Accuracy against training-set size: {', '.join(dict.fromkeys(records['data']))}"
    figure = plot_accuracy(curves, title=title, notes=_notes(records, states))
    written = [
        out / name
        for name in ("accuracy.png", "accuracy.svg", "records.csv", "records.parquet", "curves.csv")
    ]
    figure.savefig(written[0], dpi=160)
    figure.savefig(written[1])
    flat = records.drop(columns=["model_arguments", "versions"], errors="ignore").join(
        pd.json_normalize(records["versions"].tolist()).add_prefix("version.")
    )
    flat.to_csv(written[2], index=False)
    flat.to_parquet(written[3], index=False)
    curves.to_csv(written[4], index=False)
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True, highlight=False)
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
    console = Console()
    console.print(", ".join(f"{len(runs)} {state}" for state, runs in states.items()))
    for run in states["failed"]:
        error = results.read_failure(folder / run)["error"]
        console.print(f"failed: {folder / run}: {error}", soft_wrap=True, highlight=False)
    for run in states["missing"]:
        console.print(f"missing: {folder / run}", soft_wrap=True, highlight=False)
    return int(any(runs for state, runs in states.items() if state != "finished"))


def models(pattern: str | None) -> int:
    """Print our models with their cost on a 32 x 32 image, and timm's names that match `pattern`."""
    import timm

    from vision.models import cost, our_models

    console = Console()
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
        console.print(table)
    others = [name for name in timm.list_models(pattern or "") if name not in ours]
    if pattern:
        for name in others:
            console.print(name, highlight=False)
        if not ours and not others:
            raise ValueError(f"no model matches PATTERN {pattern!r}; try 'resnet*', or no pattern for ours")
    else:
        console.print(f"and {len(others)} of timm's; vision models 'convnext*' lists those that match")
    return 0


def _refuse_mixed_recipes(records: pd.DataFrame) -> None:
    """A point must not average runs whose settings differ in more than seed, subset and size."""
    if "recipe_sha256" not in records:
        return
    first: dict[tuple[str, str], dict[Hashable, Any]] = {}
    for run in records.to_dict("records"):
        other = first.setdefault((run["data"], run["label"]), run)
        if run["recipe_sha256"] != other["recipe_sha256"]:
            raise ValueError(
                f"the runs of {run['label']} on {run['data']} differ in more than seed and size, as "
                f"{other['folder']} and {run['folder']} do in their config.yaml; plot one sweep at a time, "
                "or tell them apart by model.label"
            )


def _cost_table(records: pd.DataFrame) -> Table:
    table = Table("model", "parameters", "multiply-adds an image", box=SIMPLE_HEAD)
    for run in records.drop_duplicates(["data", "label"]).to_dict("records"):
        table.add_row(_name(run, records), f"{run['params']:,}", f"{run['macs']:,}")
    return table


def _accuracy_table(curves: pd.DataFrame, records: pd.DataFrame) -> Table:
    points = curves.to_dict("records")
    sizes = sorted({point["train_size"] for point in points})
    counts = sorted({point["n"] for point in points})
    first = Column("images", no_wrap=True)
    table = Table(first, *(f"{size:,}" for size in sizes), box=SIMPLE_HEAD, pad_edge=False)
    n = f"n = {counts[0]}" if len(counts) == 1 else "(n)"
    table.title = f"test accuracy in %, mean ± half of the 95% interval, {n}"
    for run in records.drop_duplicates(["data", "label"]).to_dict("records"):
        own = {p["train_size"]: p for p in points if (p["data"], p["label"]) == (run["data"], run["label"])}
        cells = [_cell(own[size], with_n=len(counts) > 1) if size in own else "" for size in sizes]
        table.add_row(_name(run, records), *cells)
    return table


def _name(run: dict[Hashable, Any], records: pd.DataFrame) -> str:
    return run["label"] if len(set(records["data"])) == 1 else f"{run['label']} on {run['data']}"


def _cell(point: dict[Hashable, Any], *, with_n: bool) -> str:
    n = f" ({point['n']})" if with_n else ""
    if pd.isna(point["high"]):
        return f"{100 * point['mean']:.1f}{n}"
    half = max(point["high"] - point["mean"], point["mean"] - point["low"])
    return f"{100 * point['mean']:.1f} ±{100 * half:.1f}{n}"


def _notes(records: pd.DataFrame, states: dict[str, list[str]]) -> str:
    def distinct(column: str) -> str:
        return ", ".join(str(value) for value in dict.fromkeys(records[column]))

    total = sum(len(runs) for runs in states.values())
    counts = records.groupby(["data", "label", "train_size"]).size()
    seeds = " to ".join(dict.fromkeys((str(counts.min()), str(counts.max()))))
    torch_versions = ", ".join(dict.fromkeys(v["torch"] for v in records["versions"]))
    commits = ", ".join(
        dict.fromkeys(str(c)[:10] + ("+changes" if "+" in str(c) else "") for c in records["commit"])
    )
    return (
        f"{len(records)} of {total} runs, n = {seeds} a point, band: 95% t-interval over seeds; "
        f"steps {distinct('steps')}; {distinct('precision')} on {distinct('device')};\n"
        f"torch {torch_versions}; commit {commits}; finished {records['finished'].max()[:10]}"
    )
