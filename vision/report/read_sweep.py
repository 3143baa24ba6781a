"""Read the runs of a page from a sweep's folder or from a table of records.

>>> read_sweep(Path("outputs/demo")).labels  # doctest: +SKIP
['CNN', 'ViT']
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vision import results
from vision.report.exclusions import missing_files, searched_settings, with_metric, without_repeats
from vision.report.sweep import Sweep
from vision.report.wording import gaps
from vision.statistics import accuracy_curves, check_columns, choose_by_validation
from vision.statistics.columns import NAMES
from vision.statistics.record_values import check_runs
from vision.statistics.settings import varying_settings
from vision.text import listing

BUDGETS = ("training.steps", "training.epochs")
DEFAULT_PAIR = ("CNN", "ViT")  # compared first where both exist and no others are asked for


def read_sweep(
    source: Path, *, pair: Sequence[str] | None = None, choose: Sequence[str] | None = None
) -> Sweep:
    """Read the runs in a sweep's folder, or in a .csv or .parquet file of records.

    Args:
        source: Folder or file.
        pair: Labels of the two models to compare first. None: CNN and ViT, or the only two.
        choose: Settings of which each model and size uses those with the best validation score.

    Raises:
        FileNotFoundError: There is no finished run.
        ValueError: a column is missing or holds wrong values; the runs are of several data sets; those of one
            model differ in more than size and seeds; or a label of the pair does not exist.
    """
    records, damages = results.read_sound_records(source)
    check_columns(records, ("label", "train_size", "seed", "test_accuracy"))
    records, repeats = without_repeats(check_runs(records))
    if "data" in records and records["data"].nunique() > 1:
        counts = records["data"].value_counts()
        named = ", ".join(f"{name} ({counts[name]} runs)" for name in counts.index.tolist())
        raise ValueError(f"{source} holds runs of several data sets: {named}; give the folder of one of them")
    chosen = None
    if choose:
        records, chosen = choose_by_validation(records, choose, by=["label", "train_size"])
        records = records.drop(columns=list(choose))
    records, left_out = with_metric(records, "test_accuracy")
    left_out += [*repeats, *(gaps.damaged(damage) for damage in damages)]
    _check_mixed(records)
    return Sweep(
        source=source,
        records=records,
        states=results.status(source) if source.is_dir() else {},
        pair=compared_first(list(dict.fromkeys(records["label"].tolist())), pair),
        chosen=chosen,
        left_out=left_out,
        missing_files=missing_files(source, records),
    )


def _check_mixed(records: pd.DataFrame) -> None:
    """Refuse what the curves refuse, and name what to do about it on this command."""
    try:
        accuracy_curves(records)
    except ValueError as error:
        settings = [name for name in varying_settings(records) if name not in (*NAMES, "train_size")]
        if not (searched := searched_settings(records, settings)):
            raise
        # Neither data nor a budget should be chosen by validation: more steps nearly always score better.
        recipe = [name for name in searched if not name.startswith("data.") and name not in BUDGETS]
        choose = f", or let validation choose, by --choose {','.join(recipe)}" if recipe else ""
        reason = str(error).partition("; plot")[0]
        raise ValueError(f"{reason}; give the folder of one sweep{choose}") from error


def compared_first(labels: list[str], asked: Sequence[str] | None = None) -> tuple[str, str] | None:
    """Return the two models that are compared first, as asked for or by default; None for many models.

    Raises:
        ValueError: What is asked for is not two of the labels.
    """
    if asked is not None:
        # A label may itself contain a comma.
        halves = ((",".join(asked[:i]), ",".join(asked[i:])) for i in range(1, len(asked)))
        for first, second in halves:
            if first != second and {first, second} <= set(labels):
                return first, second
        raise ValueError(
            f"pair must be two of the models, such as {','.join(labels[:2])}, got {','.join(asked)!r}; "
            f"the models are {listing(labels)}"
        )
    if set(DEFAULT_PAIR) <= set(labels):
        return DEFAULT_PAIR
    return (labels[0], labels[1]) if len(labels) == 2 else None
