"""What the figures of a page share: which models they show, in which styles, and the small print."""

import pandas as pd

from vision.report.small_print import small_print
from vision.report.sweep import Sweep
from vision.report.wording import captions
from vision.report.wording.methods import MEAN

MAX_LINES = 7  # models in a figure of many panels: the best of them


def best_runs(sweep: Sweep) -> pd.DataFrame:
    """Return the runs of the pair and of the best others, up to MAX_LINES models."""
    shown = list(dict.fromkeys([*(sweep.pair or ()), *sweep.labels]))[:MAX_LINES]
    return sweep.records[sweep.records["label"].isin(shown)]


def all_lines(sweep: Sweep) -> list[str]:
    """Return all models, in the order in which the first figure gives them their line styles."""
    return list(dict.fromkeys(sweep.curves["label"].tolist()))


def shown_models(sweep: Sweep) -> str:
    """Return a note on the models that are not shown."""
    return captions.shown_models(min(MAX_LINES, len(sweep.labels)), len(sweep.labels))


def notes_of(
    sweep: Sweep,
    curves: pd.DataFrame | None,
    records: pd.DataFrame | None = None,
    *,
    interval: str = MEAN,
) -> str:
    """Return the small print, of some of the runs if `records` has fewer than the sweep."""
    if records is not None and len(records) < len(sweep.records):
        return small_print(records, curves, interval=interval)
    return small_print(sweep.records, curves, total=sweep.total, interval=interval)
