"""Published accuracies to stand beside one's own, each with its source and what was done for it.

>>> beside_published(collect("outputs/study-cifar10_jpeg/epochs"))  # doctest: +SKIP
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vision.statistics.curves import accuracy_curves

FILE = Path(__file__).with_name("published.csv")
# Our data sets, the one that the figures are of, and what differs.
SAME_TASK = {
    "cifar10": ("cifar10", ""),
    "cifar10-jpeg": ("cifar10", "re-encoded as JPEG of quality 75"),
    "cifar100": ("cifar100", ""),
}


HOW = {
    "steps": "{:,.0f} steps",
    "training.batch_size": "batch {:g}",
    "training.lr": "lr {:g}",
    "training.weight_decay": "weight decay {:g}",
    "data.augment.crop_padding": "crop {:g}",
    "n_train": "{:,.0f} of the images trained on",
}


def published() -> pd.DataFrame:
    """The table: data, train_size, model, params (may be missing), accuracy in percents, how, source.

    Only figures that were read in their source's own page are in it.
    """
    return pd.read_csv(FILE)


def beside_published(records: pd.DataFrame) -> pd.DataFrame:
    """Our mean of each model and size, and below it the figures that others published for that size.

    Args:
        records: one row a run, of data sets for which there are published figures.

    Returns:
        Columns train_size, model, params, accuracy, low, high (percents; of ours the mean with its 95%
        t-interval over seeds), n (of ours), how and source (of ours "this suite"). By size, ours first; only
        sizes that both have.

    Raises:
        ValueError: there are no published figures for the data set, or none at one of these sizes; with
            those that there are.
    """
    names = list(dict.fromkeys(records["data"]))
    if unknown := [name for name in names if name not in SAME_TASK]:
        raise ValueError(
            f"there are no published figures for {', '.join(unknown)}, but for {', '.join(SAME_TASK)}"
        )
    theirs: Any = published()
    theirs = theirs[theirs["data"].isin([SAME_TASK[name][0] for name in names])]
    known, ours = set(theirs["train_size"]), _ours(records)
    if not known & set(ours["train_size"]):
        raise ValueError(
            f"the figures published for {', '.join(names)} are of {_listed(known)} training images; these "
            f"runs have {_listed(set(ours['train_size']))}"
        )
    both: Any = pd.concat([ours, theirs.drop(columns="data")], ignore_index=True)
    both = both[both["train_size"].isin(known & set(ours["train_size"]))]
    return both.sort_values("train_size", kind="stable", ignore_index=True)


def accuracy_text(row: Mapping[Any, Any]) -> str:
    """A row of `beside_published` -> "53.2 ± 2.3 (n = 3)", ± the longer half of the interval; or "53.2"."""
    half = max(row["high"] - row["accuracy"], row["accuracy"] - row["low"])
    spread = f" ± {half:.1f}" if pd.notna(half) else ""
    return f"{row['accuracy']:.1f}{spread}" + (f" (n = {row['n']:.0f})" if pd.notna(row["n"]) else "")


def _ours(records: pd.DataFrame) -> pd.DataFrame:
    runs: Any = records.groupby(["data", "label", "train_size"])
    rows = []
    for point in accuracy_curves(records).to_dict("records"):
        run = runs.get_group((point["data"], point["label"], point["train_size"])).iloc[0]
        values = {name: 100 * point[name] for name in ("low", "high")}
        values |= {"train_size": point["train_size"], "model": point["label"], "params": run.get("params")}
        values |= {"accuracy": 100 * point["mean"], "n": point["n"], "source": "this suite", "how": _how(run)}
        rows.append(values)
    return pd.DataFrame(rows)


def _how(run: Any) -> str:
    """What one must know to compare: budget, recipe, images without validation, and how the data differ."""
    known = {name: run.get(name) for name in HOW}
    parts = [text.format(known[name]) for name, text in HOW.items() if pd.notna(known[name])]
    return ", ".join([*parts, SAME_TASK[run["data"]][1]]).removesuffix(", ")


def _listed(sizes: set[int]) -> str:
    return ", ".join(f"{size:,}" for size in sorted(sizes))
