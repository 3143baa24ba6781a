"""What is there, on the terminal and as files: the tables and figures of a sweep, the list of models.

>>> status(Path("outputs/data_size-digits"))  # doctest: +SKIP
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from vision import results


def plot(folder: Path, out: Path) -> int:
    """Write the accuracy curves, records and averages of the sweep in `folder`, and print the table."""
    from vision.analysis import accuracy_curves
    from vision.plots import plot_accuracy

    records = results.collect(folder)
    curves = accuracy_curves(records)
    states = results.status(folder)
    console = Console()
    console.print(_accuracy_table(curves, records))
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
    console = Console()
    console.print(", ".join(f"{len(runs)} {state}" for state, runs in states.items()))
    for run in states["failed"]:
        error = results.read_failure(folder / run)["error"]
        console.print(f"failed: {folder / run}: {error}", soft_wrap=True, highlight=False)
    for run in states["missing"]:
        console.print(f"missing: {folder / run}", soft_wrap=True, highlight=False)
    return int(bool(states["failed"] or states["missing"]))


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


def _accuracy_table(curves: pd.DataFrame, records: pd.DataFrame) -> Table:
    points = curves.to_dict("records")
    costs = {(run["data"], run["label"]): run for run in records.to_dict("records")}
    sizes = sorted({point["train_size"] for point in points})
    table = Table("model", "parameters", "multiply-adds", *(f"{size:,}" for size in sizes))
    table.title = "test accuracy, mean ± half of the 95% interval (n)"
    for (data, label), one in costs.items():
        cells = {p["train_size"]: _cell(p) for p in points if (p["data"], p["label"]) == (data, label)}
        name = label if len({key[0] for key in costs}) == 1 else f"{label} on {data}"
        size = (f"{one['params']:,}", f"{one['macs']:,}")
        table.add_row(name, *size, *(cells.get(train_size, "") for train_size in sizes))
    return table


def _cell(point: dict[Hashable, Any]) -> str:
    if pd.isna(point["high"]):
        return f"{point['mean']:.3f} ({point['n']})"
    half = max(point["high"] - point["mean"], point["mean"] - point["low"])
    return f"{point['mean']:.3f} ± {half:.3f} ({point['n']})"


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
