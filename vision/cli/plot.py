"""`vision plot`: the figure of a sweep, its table on the terminal, and what is sure of it.

>>> plot(Path("outputs/demo"), None, **axes, metric="test_accuracy")  # doctest: +SKIP
"""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from vision import results
from vision.cli.console import console, home, say
from vision.text import short_name, value_text

CURVES = "curves.csv"


def plot(
    source: Path,
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
    """Write the curves, records and averages of a sweep, and print the table.

    Args:
        source: folder of a sweep, which may still be running; or a .csv or .parquet of records.
        out: where to write; None is the sweep's folder, or the table's.
        x, line, panel, metric: as in `vision.statistics.accuracy_curves`.
        centre, interval: likewise; None takes t for the mean and bca for others.
        xlabel: what to call x in the figure; None takes its name.
        choose: settings, joined by commas, of which each point takes those that did best in validation.
    """
    from vision.plots import plot_accuracy, save
    from vision.report.exclusions import with_metric
    from vision.statistics import accuracy_curves
    from vision.statistics.records import check_runs

    out = out or home(source)
    if (out / CURVES).resolve() == source.resolve():
        raise ValueError(f"the averages would be written over {source} itself; give another folder by --out")
    records = check_runs(results.read_records(source))
    states = results.status(source) if source.is_dir() else {}
    axes = {"x": x, "line": line, "panel": panel}
    shown, left_out = with_metric(_chosen(records, choose, axes), metric)
    interval = interval or ("t" if centre == "mean" else "bca")
    curves = accuracy_curves(shown, **axes, metric=metric, centre=centre, interval=interval)
    if {"label", "params", "macs"} <= set(records):  # a table from elsewhere may lack them
        console().print(_cost_table(records))
    console().print(_score_table(curves, **axes, metric=metric, centre=centre))
    compared = (x, line, metric) == ("train_size", "label", "test_accuracy")
    for sentence in (*left_out, *(_answers(shown) if compared else ()), *_lacking(curves, states)):
        say(sentence)
    labels = {"metric": metric.replace("_", " "), "xlabel": xlabel, "centre": centre}
    title = _title(records, x, labels)
    notes = _notes(shown, curves, x, f"{centre}, 95% {interval} interval", states, left_out)
    figure = plot_accuracy(curves, title=title, notes=notes, **axes, **labels)
    out.mkdir(parents=True, exist_ok=True)
    for file in (*save(figure, out / "accuracy"), *_write(out, curves, records if states else None)):
        say(f"wrote {file}")
    return 0


def _chosen(records: pd.DataFrame, choose: str | None, axes: dict[str, str]) -> pd.DataFrame:
    """The runs whose settings did best in validation, told on the terminal; all where nothing is chosen."""
    from vision.statistics import choose_by_validation

    if choose is None:
        return records
    searched = choose.split(",")
    chosen, choices = choose_by_validation(records, searched, by=list(axes.values()))
    console().print(_plain_table("chosen in validation, which never sees the test images", choices))
    return chosen.drop(columns=searched)  # they may differ along a line


def _answers(records: pd.DataFrame) -> Iterator[str]:
    """Who is ahead where, for each two models of a data set."""
    from vision.report.findings import of_pairs

    sets = records.groupby("data", sort=False)
    for data, runs in sets:
        where = f" on {data}" if len(sets) > 1 else ""
        yield from of_pairs(runs, list(dict.fromkeys(runs["label"])), where=where)


def _lacking(curves: pd.DataFrame, states: dict[str, list[str]]) -> Iterator[str]:
    if set(curves["n"]) == {1}:
        yield "one seed only: no interval can be drawn; train with more seeds, as seed=0,1,2"
    unfinished = [f"{len(runs)} {state}" for state, runs in states.items() if runs and state != "finished"]
    if unfinished:
        yield ", ".join(unfinished) + " beside these"


def _title(records: pd.DataFrame, x: str, labels: dict[str, Any]) -> str:
    against = labels["xlabel"] or {"train_size": "training-set size", "label": "model"}.get(x, short_name(x))
    return f"{labels['metric'].capitalize()} against {against}: {', '.join(dict.fromkeys(records['data']))}"


def _notes(
    shown: pd.DataFrame,
    curves: pd.DataFrame,
    x: str,
    interval: str,
    states: dict[str, list[str]],
    left_out: list[str],
) -> str:
    """The small print below the figure."""
    from vision.report.captions import notes

    ringed = x != "train_size" and pd.api.types.is_numeric_dtype(curves[x])
    said = [notes(shown, curves, total=sum(map(len, states.values())) or None, interval=interval)]
    said += ["ring: the best of its line"] if ringed else []
    return "; ".join([*said, *(sentence.rstrip(".") for sentence in left_out)])


def _write(out: Path, curves: pd.DataFrame, records: pd.DataFrame | None) -> list[Path]:
    """The tables as files; no records where they came from such a file."""
    written = [out / CURVES]
    curves.to_csv(written[0], index=False)
    if records is not None:
        written += [out / "records.csv", out / "records.parquet"]
        flat = _flat(records)
        flat.to_csv(written[1], index=False)
        flat.to_parquet(written[2], index=False)
    return written


def _flat(records: pd.DataFrame) -> pd.DataFrame:
    """Records without lists and dictionaries, as a CSV can hold them."""
    versions = pd.json_normalize(records["versions"].tolist()).add_prefix("version.")
    return records.drop(columns=["model_arguments", "versions", "classes"], errors="ignore").join(versions)


def _cost_table(records: pd.DataFrame) -> Table:
    table = Table("model", "parameters", "multiply-adds an image", box=SIMPLE_HEAD)
    for run in records.drop_duplicates(["data", "label"]).to_dict("records"):
        costs = ("" if pd.isna(run[name]) else f"{run[name]:,.0f}" for name in ("params", "macs"))
        table.add_row(_name(run, records), *costs)
    return table


def _score_table(curves: pd.DataFrame, *, x: str, line: str, panel: str, metric: str, centre: str) -> Table:
    """A row a line, a column a place x; where x is a name the other way round."""
    rows, columns = (line, x) if pd.api.types.is_numeric_dtype(curves[x]) else (x, line)
    counts = sorted(set(curves["n"]))
    heads = sorted(set(curves[columns])) if columns == x else list(dict.fromkeys(curves[columns]))
    title = "images" if columns == "train_size" else short_name(columns)
    table = Table(Column(title, no_wrap=True), *map(value_text, heads), box=SIMPLE_HEAD, pad_edge=False)
    n = f"n = {counts[0]}" if len(counts) == 1 else "(n)"
    spread = " ± half of the 95% interval" if counts[-1] > 1 else ""
    table.title = f"{metric.replace('_', ' ')} in %, {centre}{spread}, {n}"
    several = len(set(curves[panel])) > 1
    groups: Any = curves.groupby([panel, rows], sort=False, dropna=False)
    for (first, second), group in groups:
        points = {point[columns]: point for point in group.to_dict("records")}
        cells = [
            _cell(points[head], centre, with_n=len(counts) > 1) if head in points else "" for head in heads
        ]
        where = f" on {first}" if panel == "data" else f", {value_text(first)}"
        table.add_row(value_text(second) + (where if several else ""), *cells)
    return table


def _plain_table(title: str, rows: pd.DataFrame) -> Table:
    table = Table(*(short_name(name) for name in rows), title=title, box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        table.add_row(*(value_text(value, digits=4) for value in row.values()))
    return table


def _name(run: dict[Hashable, Any], records: pd.DataFrame) -> str:
    return run["label"] if len(set(records["data"])) == 1 else f"{run['label']} on {run['data']}"


def _cell(point: dict[Hashable, Any], centre: str, *, with_n: bool) -> str:
    n = f" ({point['n']})" if with_n else ""
    middle = point[centre]
    if pd.isna(point["high"]):
        return f"{100 * middle:.1f}{n}"
    half = max(point["high"] - middle, middle - point["low"])
    return f"{100 * middle:.1f} ±{100 * half:.1f}{n}"
