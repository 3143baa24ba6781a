"""`vision plot`: the figure of a sweep, its table on the terminal, and what can be concluded from it.

vision plot outputs/data_size-digits
"""

import argparse
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pandas as pd

from vision import results
from vision.cli.console import console, print_line
from vision.cli.output_paths import check_folder
from vision.cli.plot_tables import choice_table, cost_table, score_table
from vision.cli.sweep_arguments import add_choose, add_source, current_names, names, output_folder
from vision.text import short_name

CURVES = "curves.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision plot`."""
    parser.epilog = "example: vision plot outputs/data_size-digits"
    add_source(parser)
    out = "where to write the figure and the tables (default: DIR)"
    parser.add_argument("--out", type=Path, metavar="DIR", help=out)
    x = "column or setting on the x axis, such as training.lr; join several by commas (default: %(default)s)"
    parser.add_argument("--x", metavar="NAME", type=current_names, default="train_size", help=x)
    line = "column or setting that has one line per value (default: %(default)s)"
    parser.add_argument("--line", metavar="NAME", type=current_names, default="label", help=line)
    panel = "column or setting that has one panel per value (default: %(default)s)"
    parser.add_argument("--panel", metavar="NAME", type=current_names, default="data", help=panel)
    metric = "column that is averaged over seeds (default: %(default)s)"
    parser.add_argument("--metric", metavar="NAME", default="test_accuracy", help=metric)
    parser.add_argument("--xlabel", metavar="TEXT", help="label of the x axis (default: its name)")
    add_choose(parser)


def plot(
    source: Path,
    out: Path | None,
    *,
    x: str,
    line: str,
    panel: str,
    metric: str,
    choose: str | None = None,
    xlabel: str | None = None,
) -> int:
    """Write the curves, records and averages of a sweep, and print the table.

    Args:
        source: folder of a sweep, which may still be running, or a .csv or .parquet file of records.
        out: where to write; None is the sweep's folder, or the folder of the file.
        x, line, panel, metric: as in `vision.statistics.accuracy_curves`.
        choose: settings, joined by commas; each point uses their values with the best validation accuracy.
        xlabel: label of the x axis; None is the name of x.

    Raises:
        ValueError: a column is missing, the runs cannot be averaged, or `source` would be overwritten.
        FileNotFoundError: the source does not exist or has no finished run.
    """
    from vision.report.exclusions import with_metric, without_repeats
    from vision.report.findings import short_answers
    from vision.report.wording import captions, gaps
    from vision.statistics import accuracy_curves, all_or_nothing, run_scores
    from vision.statistics.record_values import check_runs

    out = out or output_folder(source)
    check_folder("--out", out)
    if (out / CURVES).resolve() == source.resolve():
        raise ValueError(f"the averages would overwrite {source}; give another folder with --out")
    records, damages = results.read_sound_records(source)
    records, repeats = without_repeats(check_runs(records))
    states = results.status(source) if source.is_dir() else {}
    axes = {"x": x, "line": line, "panel": panel}
    runs, exclusions = with_metric(_chosen(records, choose, axes), metric)
    curves = accuracy_curves(runs, x=x, line=line, panel=panel, metric=metric)
    if {"label", "params", "macs"} <= set(records):  # not in every table from elsewhere
        console().print(cost_table(records))
    console().print(score_table(curves, **axes, metric=metric))
    compares_models = (x, line, metric) == ("train_size", "label", "test_accuracy")
    answers = short_answers(source, runs) if compares_models else ()
    sentences = (*map(gaps.damaged, damages), *repeats, *exclusions, *answers, *_missing(curves, states))
    for sentence in sentences:
        print_line(sentence)
    out.mkdir(parents=True, exist_ok=True)
    title = captions.curves_title(metric, xlabel or short_name(x), list(dict.fromkeys(records["data"])))
    scores = run_scores(runs, **axes, metric=metric)
    apart = all_or_nothing(scores)
    notes = _notes(runs, curves, x, sum(map(len, states.values())), exclusions, apart=apart)
    figures = _draw(
        *(out, curves, scores), title=title, notes=notes, **axes, metric=metric, xlabel=xlabel, apart=apart
    )
    for file in (*figures, *_write(out, curves, records if states else None, source)):
        print_line(f"wrote {file}")
    return 0


def _chosen(records: pd.DataFrame, choose: str | None, axes: dict[str, str]) -> pd.DataFrame:
    """Return the runs with the settings that did best in validation, and print them; all without `choose`."""
    from vision.statistics import choose_by_validation

    settings = names(choose)
    if settings is None:
        return records
    chosen, choices = choose_by_validation(records, settings, by=list(axes.values()))
    console().print(choice_table(choices))
    return chosen.drop(columns=settings)  # they may differ along a line


def _missing(curves: pd.DataFrame, states: dict[str, list[str]]) -> Iterator[str]:
    from vision.report.wording import gaps

    if set(curves["n"]) == {1}:
        yield gaps.ONE_SEED
    if any(runs for state, runs in states.items() if state != "finished"):
        yield gaps.not_included(states)


def _notes(
    runs: pd.DataFrame, curves: pd.DataFrame, x: str, total: int, exclusions: list[str], *, apart: bool
) -> str:
    """Return the small print below the figure."""
    from vision.report.small_print import small_print
    from vision.report.wording import captions
    from vision.report.wording.methods import MEAN, MEDIAN

    parts = [small_print(runs, curves, total=total or None, interval=MEDIAN if apart else MEAN)]
    if x != "train_size" and not apart and pd.api.types.is_numeric_dtype(curves[x]):
        parts.append(captions.BEST_OF_LINE)
    return "; ".join([*parts, *(sentence.rstrip(".") for sentence in exclusions)])


def _draw(
    out: Path,
    curves: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    title: str,
    notes: str,
    x: str,
    line: str,
    panel: str,
    metric: str,
    xlabel: str | None,
    apart: bool,
) -> list[Path]:
    from vision.plots import plot_accuracy, save

    figure = plot_accuracy(
        curves,
        title=title,
        notes=notes,
        metric=metric.replace("_", " "),
        x=x,
        line=line,
        panel=panel,
        xlabel=xlabel,
        centre="median" if apart else "mean",
        runs=scores,
        intervals=not apart,
    )
    return save(figure, out / "accuracy")


def _write(out: Path, curves: pd.DataFrame, records: pd.DataFrame | None, sweep: Path) -> list[Path]:
    """Write the tables; no records if they came from a file, and distances if the runs recorded some."""
    import_module("pyarrow")  # whose absence pandas states in many lines, after the work is done
    files = [out / CURVES]
    results.write_csv(curves, files[0])
    if records is not None:
        files += [out / "records.csv", out / "records.parquet"]
        flat = results.flat_table(records)
        results.write_csv(flat, files[1])
        flat.to_parquet(files[2], index=False)
        files += _write_distances(out, sweep, records)
    return files


def _write_distances(out: Path, sweep: Path, records: pd.DataFrame) -> list[Path]:
    """Write the attention distances of the runs that recorded some; a file that cannot be read is named."""
    try:
        distances = results.head_distances(sweep, records)
    except ValueError as error:
        print_line(f"{results.DISTANCES} is left out: {error}")
        return []
    if distances.empty:
        return []
    results.write_csv(distances, out / results.DISTANCES)
    return [out / results.DISTANCES]
