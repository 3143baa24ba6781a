"""The map of accuracy by receptive field."""

import pandas as pd

from vision import plots
from vision.plots.sweep.field_map import FIELD, KIND
from vision.report.figures.named_figure import NamedFigure
from vision.report.figures.shown import notes_of
from vision.report.sweep import Sweep
from vision.report.wording import captions
from vision.statistics import accuracy_curves

MIN_FIELDS = 3  # from which on a map of fields is drawn


def field_map(sweep: Sweep) -> NamedFigure | None:
    """Accuracy by field and training-set size; None without enough fields."""
    if not {FIELD, KIND} <= set(sweep.records):
        return None
    fields = sweep.records[FIELD]
    if fields.nunique(dropna=False) < MIN_FIELDS:
        return None
    records = sweep.records.assign(**{FIELD: fields.map(_field_name)})
    curves = accuracy_curves(records, line=FIELD, panel=KIND)
    title = f"Receptive field against training images on {sweep.data}"
    figure = plots.plot_field_map(curves, title=title, notes=notes_of(sweep, curves))
    return NamedFigure("field-map", figure, captions.FIELD_MAP_FIGURE)


def _field_name(kernel_size: float) -> str:
    return "all" if pd.isna(kernel_size) else f"{kernel_size:g} x {kernel_size:g}"
