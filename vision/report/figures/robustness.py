"""Figures of what `vision evaluate` measured: corruptions, shuffled patches, shifts, occlusion, calibration.

>>> corruptions(sweep, sweep.evaluations).name  # doctest: +SKIP
'corruptions'
"""

from typing import Any

import pandas as pd

from vision import plots
from vision.report.figures.evaluation_curves import Drawings, Tables, curves_by_size, draw_curves
from vision.report.figures.named_figure import NamedFigure
from vision.report.figures.shown import all_lines, notes_of
from vision.report.sweep import Sweep
from vision.report.wording import robustness as wording
from vision.statistics import (
    BINNINGS,
    UNCHANGED,
    accuracy_curves,
    calibration_errors,
    mean_scores,
    reliability,
)

RUN = ["folder", "label", "train_size", "seed", "subset_seed"]


def corruptions(sweep: Sweep, tables: Tables) -> NamedFigure:
    """Accuracy on unchanged and on corrupted images, and relative accuracy, by training-set size."""
    table = tables["corruptions"]
    panels = {
        "unchanged images": table[table["kind"] == UNCHANGED].set_index("folder")["accuracy"],
        "corrupted images": mean_scores(table, "accuracy"),
        "relative accuracy": mean_scores(table, "kept"),
    }
    curves = curves_by_size(sweep, panels)
    title, caption = f"Accuracy under corruption on {sweep.data}", wording.CORRUPTIONS_FIGURE
    return NamedFigure("corruptions", draw_curves(sweep, curves, table, title, panel="measure"), caption)


def corruption_kinds(sweep: Sweep, tables: Tables) -> NamedFigure:
    """Accuracy by corruption, at the largest training-set size."""
    table = tables["corruptions"]
    size = _ends(table)[-1]
    rows = table[(table["kind"] != UNCHANGED) & (table["train_size"] == size)]
    means = rows.groupby([*RUN, "kind"], dropna=False)["accuracy"].mean().reset_index()
    named = means.assign(kind=means["kind"].str.replace("_", " "), data=sweep.data)
    curves = accuracy_curves(named, x="kind", metric="accuracy")
    title = f"Accuracy by corruption on {sweep.data}, {size:,} training images"
    figure = draw_curves(sweep, curves, table, title, x="kind")
    return NamedFigure("corruption-kinds", figure, wording.KINDS_FIGURE)


def shuffled_patches(sweep: Sweep, tables: Tables) -> NamedFigure:
    """Accuracy by the side of shuffled patches."""
    table = tables["shuffled_patches"]
    curves = _by_level(table[table["kind"] != UNCHANGED], "accuracy")
    title, level = f"Accuracy with shuffled patches on {sweep.data}", "side of a patch in pixels"
    figure = draw_curves(sweep, curves, table, title, panel="size", x="level", xlabel=level)
    return NamedFigure("shuffled-patches", figure, wording.SHUFFLED_FIGURE)


def translations(sweep: Sweep, tables: Tables) -> NamedFigure:
    """Consistency by the distance of a shift."""
    table = tables["translations"]
    curves = _by_level(table, "consistency")
    options: dict[str, Any] = {"panel": "size", "x": "level", "xlabel": "shift in pixels"}
    title = f"Consistency under shifts on {sweep.data}"
    figure = draw_curves(sweep, curves, table, title, metric="same class", **options)
    return NamedFigure("translations", figure, wording.TRANSLATIONS_FIGURE)


def occlusion(sweep: Sweep, tables: Tables) -> NamedFigure:
    """Accuracy by the share of the image that is hidden."""
    table = tables["occlusion"]
    curves = _by_level(table, "accuracy")
    title, level = f"Accuracy under occlusion on {sweep.data}", "share of the image that is hidden"
    figure = draw_curves(sweep, curves, table, title, panel="size", x="level", xlabel=level)
    return NamedFigure("occlusion", figure, wording.OCCLUSION_FIGURE)


def calibration(sweep: Sweep, tables: Tables) -> NamedFigure:
    """Expected calibration error by training-set size."""
    table = tables["calibration"]
    curves = curves_by_size(sweep, {sweep.data: calibration_errors(table, BINNINGS[0])})
    of_a_run = table[table["kind"] == BINNINGS[0]].groupby("folder")["images"].sum()  # over the bins
    figure = draw_curves(
        *(sweep, curves.assign(data=sweep.data), table, f"Calibration on {sweep.data}"),
        metric="expected calibration error",
        images=int(of_a_run.max()),
    )
    return NamedFigure("calibration", figure, wording.CALIBRATION_FIGURE)


def reliability_diagram(sweep: Sweep, tables: Tables) -> NamedFigure:
    """Accuracy against confidence, at the smallest and the largest training-set size."""
    table = tables["calibration"]
    bins = reliability(table[table["train_size"].isin(_ends(table))])
    figure = plots.plot_reliability(
        bins,
        title=f"Confidence and accuracy on {sweep.data}",
        notes=notes_of(sweep, bins),
        all_lines=all_lines(sweep),
    )
    return NamedFigure("reliability", figure, wording.RELIABILITY_FIGURE)


def probe(sweep: Sweep, tables: Tables) -> NamedFigure:
    """Accuracy of linear probes by training-set size, a panel for each number of images per class."""
    return _probe(sweep, "probe", tables["probe"])


def transfer(sweep: Sweep, tables: Tables) -> NamedFigure:
    """The same on another data set."""
    return _probe(sweep, "transfer", tables["transfer"])


# By evaluation, in the order of the page.
FIGURES: Drawings = {
    "corruptions": (corruptions, corruption_kinds),
    "shuffled_patches": (shuffled_patches,),
    "translations": (translations,),
    "occlusion": (occlusion,),
    "calibration": (calibration, reliability_diagram),
    "probe": (probe,),
    "transfer": (transfer,),
}


def _probe(sweep: Sweep, name: str, table: pd.DataFrame) -> NamedFigure:
    panels = {
        f"{kind}, {level:g} per class": rows.set_index("folder")["accuracy"]
        for (kind, level), rows in table.groupby(["kind", "level"])
    }
    title = f"Linear probe of features trained on {sweep.data}"
    figure = draw_curves(sweep, curves_by_size(sweep, panels), table, title, panel="measure")
    return NamedFigure(name, figure, wording.PROBE_FIGURE)


def _by_level(table: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return curves of a score against the level of a change, at the smallest and the largest size."""
    parts: list[pd.DataFrame] = []
    for size in _ends(table):
        rows = table[table["train_size"] == size][[*RUN, "level", score]]
        named = rows.assign(size=f"{size:,} training images")
        parts.append(accuracy_curves(named, x="level", panel="size", metric=score))
    return pd.concat(parts, ignore_index=True)


def _ends(table: pd.DataFrame) -> list[int]:
    """Return the smallest and the largest training-set size that is evaluated."""
    return sorted({int(table["train_size"].min()), int(table["train_size"].max())})
