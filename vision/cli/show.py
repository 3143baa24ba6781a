"""What is there, on the terminal and as files: the tables and figures of a sweep, the list of models.

>>> status(Path("outputs/data_size-digits"))  # doctest: +SKIP
"""

from collections.abc import Hashable
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from vision import results

FEW = 4  # models up to which each is compared with each


def plot(
    folder: Path,
    out: Path | None,
    *,
    x: str,
    line: str,
    panel: str,
    metric: str,
    centre: str = "mean",
    interval: str | None = None,
    choose: str | None = None,
    xlabel: str | None = None,
) -> int:
    """Write the curves, records and averages of the sweep in `folder`, and print the table.

    Args:
        folder: of a sweep, which may still be running; or a .csv or .parquet of records.
        out: where to write; None is the sweep's folder, or the table's.
        x, line, panel, metric: as in `vision.analysis.accuracy_curves`.
        centre, interval: likewise; None takes t for the mean and bca for others.
        xlabel: what to call x in the figure; None takes its name.
        choose: settings, joined by commas, of which each point takes those that did best in validation.
    """
    from vision.analysis import accuracy_curves, choose_by_validation
    from vision.analysis.records import check_runs
    from vision.plots import plot_accuracy, save
    from vision.report.left_out import with_metric
    from vision.report.notes import notes

    records = check_runs(results.read_records(folder))
    states = results.status(folder) if folder.is_dir() else {}
    axes, console = {"x": x, "line": line, "panel": panel}, _console()
    shown = records
    if choose is not None:
        searched = choose.split(",")
        chosen, choices = choose_by_validation(records, searched, by=list(axes.values()))
        shown = chosen.drop(columns=searched)  # they may differ along a line
        console.print(_plain_table("chosen in validation, which never sees the test images", choices))
    shown, left_out = with_metric(shown, metric)
    interval = interval or ("t" if centre == "mean" else "bca")
    curves = accuracy_curves(shown, **axes, metric=metric, centre=centre, interval=interval)
    if {"label", "params", "macs"} <= set(records):  # a table from elsewhere may lack them
        console.print(_cost_table(records))
    console.print(_score_table(curves, **axes, metric=metric, centre=centre))
    for said in left_out:
        console.print(said, soft_wrap=True, highlight=False)
    if (x, line, metric) == ("train_size", "label", "test_accuracy"):
        for answer in _answers(shown):
            console.print(answer, soft_wrap=True, highlight=False)
    if set(curves["n"]) == {1}:
        console.print("one seed only: no interval can be drawn; train with more seeds, as seed=0,1,2")
    unfinished = {state: len(runs) for state, runs in states.items() if runs and state != "finished"}
    if unfinished:
        console.print(", ".join(f"{count} {state}" for state, count in unfinished.items()) + " beside these")
    out = out or _home(folder)
    out.mkdir(parents=True, exist_ok=True)
    named = metric.replace("_", " ")
    against = xlabel or {"train_size": "training-set size", "label": "model"}.get(x, x.rpartition(".")[2])
    title = f"{named.capitalize()} against {against}: {', '.join(dict.fromkeys(records['data']))}"
    ringed = x != "train_size" and pd.api.types.is_numeric_dtype(curves[x])
    total = sum(map(len, states.values())) or None
    small = notes(shown, curves, total=total, interval=f"{centre}, 95% {interval} interval")
    small += "; ring: the best of its line" if ringed else ""
    small += "".join(f"; {said.rstrip('.')}" for said in left_out)
    drawn: Any = {"metric": named, "xlabel": xlabel, "centre": centre, **axes}
    figure = plot_accuracy(curves, title=title, notes=small, **drawn)
    written = [*save(figure, out / "accuracy"), out / "curves.csv"]
    curves.to_csv(out / "curves.csv", index=False)
    if folder.is_dir():  # what came from a table is there already
        flat = _flat(records)
        flat.to_csv(out / "records.csv", index=False)
        flat.to_parquet(out / "records.parquet", index=False)
        written += [out / "records.csv", out / "records.parquet"]
    for file in written:
        console.print(f"wrote {file}", soft_wrap=True, highlight=False)
    return 0


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

    out = out or _home(source) / "report.html"
    console = _console()
    with console.status("drawing"):
        page = write_report(
            source,
            out,
            pair=pair.split(",") if pair is not None else None,
            choose=choose.split(",") if choose is not None else None,
            figures=figures,
            links=links,
        )
    for line in (page.answer, *page.warnings, *page.findings, f"wrote {out}"):
        console.print(line, soft_wrap=True, highlight=False)
    return 0


def compare(source: Path) -> int:
    """Print the figures of the sweep beside those that others published for the same number of images."""
    from vision.analysis import beside_published
    from vision.analysis.records import check_runs
    from vision.report.left_out import with_metric

    console = _console()
    records, left_out = with_metric(check_runs(results.read_records(source)), "test_accuracy")
    found = beside_published(records)
    table = Table("images", "model", "parameters", "accuracy, %", "how", "source", box=SIMPLE_HEAD)
    for size, rows in found.groupby("train_size"):
        for row in rows.to_dict("records"):
            half = max(row["high"] - row["accuracy"], row["accuracy"] - row["low"])
            spread = f" ± {half:.1f} (n = {row['n']:.0f})" if pd.notna(half) else ""
            params = "" if pd.isna(row["params"]) else f"{row['params']:,.0f}"
            accuracy = f"{row['accuracy']:.1f}{spread}"
            table.add_row(f"{size:,}", row["model"], params, accuracy, row["how"], row["source"])
        table.add_section()
    console.print(table)
    for line in left_out:
        console.print(line, soft_wrap=True, highlight=False)
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
    console = _console()
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


def _console() -> Console:
    """A console that prints brackets and colons of labels, paths and errors as they are."""
    return Console(markup=False, emoji=False)


def _home(source: Path) -> Path:
    return source if source.is_dir() else source.parent


def _flat(records: pd.DataFrame) -> pd.DataFrame:
    """Records without lists and dictionaries, as a CSV can hold them."""
    versions = pd.json_normalize(records["versions"].tolist()).add_prefix("version.")
    return records.drop(columns=["model_arguments", "versions", "classes"], errors="ignore").join(versions)


def _answers(records: pd.DataFrame) -> list[str]:
    """Who is ahead where, for each two models of a data set, if they are few and have several seeds."""
    from vision.analysis import crossover

    answers, groups = [], records.groupby("data", sort=False)
    for data, runs in groups:
        where = f" on {data}" if len(groups) > 1 else ""
        labels = list(dict.fromkeys(runs["label"]))
        for pair in combinations(labels, 2) if len(labels) <= FEW else ():
            with suppress(ValueError):  # one seed: nothing can be said of chance
                answers.append(f"{' against '.join(pair)}{where}: {crossover(runs, *pair)}")
    return answers


def _cost_table(records: pd.DataFrame) -> Table:
    table = Table("model", "parameters", "multiply-adds an image", box=SIMPLE_HEAD)
    for run in records.drop_duplicates(["data", "label"]).to_dict("records"):
        table.add_row(_name(run, records), f"{run['params']:,}", f"{run['macs']:,}")
    return table


def _score_table(curves: pd.DataFrame, *, x: str, line: str, panel: str, metric: str, centre: str) -> Table:
    """A row a line, a column a place x; where x is a name the other way round."""
    rows, columns = (line, x) if pd.api.types.is_numeric_dtype(curves[x]) else (x, line)
    counts = sorted(set(curves["n"]))
    heads = sorted(set(curves[columns])) if columns == x else list(dict.fromkeys(curves[columns]))
    title = "images" if columns == "train_size" else columns.rpartition(".")[2]
    table = Table(Column(title, no_wrap=True), *map(_text, heads), box=SIMPLE_HEAD, pad_edge=False)
    n = f"n = {counts[0]}" if len(counts) == 1 else "(n)"
    table.title = f"{metric.replace('_', ' ')} in %, {centre} ± half of the 95% interval, {n}"
    several = len(set(curves[panel])) > 1
    groups: Any = curves.groupby([panel, rows], sort=False, dropna=False)
    for (first, second), group in groups:
        points = {point[columns]: point for point in group.to_dict("records")}
        cells = [
            _cell(points[head], centre, with_n=len(counts) > 1) if head in points else "" for head in heads
        ]
        where = f" on {first}" if panel == "data" else f", {_text(first)}"
        table.add_row(_text(second) + (where if several else ""), *cells)
    return table


def _plain_table(title: str, rows: pd.DataFrame) -> Table:
    table = Table(*(name.rpartition(".")[2] for name in rows), title=title, box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        table.add_row(*(_text(value) for value in row.values()))
    return table


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "none" if pd.isna(value) else f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"


def _name(run: dict[Hashable, Any], records: pd.DataFrame) -> str:
    return run["label"] if len(set(records["data"])) == 1 else f"{run['label']} on {run['data']}"


def _cell(point: dict[Hashable, Any], centre: str, *, with_n: bool) -> str:
    n = f" ({point['n']})" if with_n else ""
    middle = point[centre]
    if pd.isna(point["high"]):
        return f"{100 * middle:.1f}{n}"
    half = max(point["high"] - middle, middle - point["low"])
    return f"{100 * middle:.1f} ±{100 * half:.1f}{n}"
