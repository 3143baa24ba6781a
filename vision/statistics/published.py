"""Published accuracies next to our own, each with its source and its setup.

>>> compare_with_published(collect("outputs/study-cifar10_jpeg/epochs"))  # doctest: +SKIP
"""

from pathlib import Path

import pandas as pd

from vision.statistics.curves import accuracy_curves

FILE = Path(__file__).with_name("published.csv")
# Our data sets, and the data set of the published results.
SAME_TASK = {"cifar10": "cifar10", "cifar10-jpeg": "cifar10", "cifar100": "cifar100"}
SETUP = (
    *("data", "steps", "n_train", "training.batch_size", "training.lr", "training.weight_decay"),
    "data.augment.crop_padding",
)


def published_results() -> pd.DataFrame:
    """Return the table: data, train_size, model, params (may be NaN), accuracy in percent, how, source.

    Every figure was read in the source itself.
    """
    return pd.read_csv(FILE)


def compare_with_published(records: pd.DataFrame) -> pd.DataFrame:
    """Return our mean for each model and size, followed by published results for the same size.

    Args:
        records: One row per run, of data sets with published results.

    Returns:
        Columns train_size, model, params, accuracy, low, high (in percent; ours is the mean with its 95%
        t interval over seeds), n (ours only), how (empty for ours) and source ("this suite" for ours).
        Ours also have the columns of SETUP. Sorted by size, ours first. Only sizes that both have.

    Raises:
        ValueError: No results are published for the data set, or none for one of these sizes.
    """
    names = [str(name) for name in dict.fromkeys(records["data"])]
    if unknown := [name for name in names if name not in SAME_TASK]:
        raise ValueError(
            f"no published results for {', '.join(unknown)}; there are some for {', '.join(SAME_TASK)}"
        )
    theirs = published_results()
    theirs = theirs[theirs["data"].isin([SAME_TASK[name] for name in names])]
    ours = _our_results(records)
    known, own = set(theirs["train_size"].tolist()), set(ours["train_size"].tolist())
    if not known & own:
        raise ValueError(
            f"results for {', '.join(names)} are published for {_listed(known)} training images; "
            f"these runs have {_listed(own)}"
        )
    both = pd.concat([ours, theirs.drop(columns="data")], ignore_index=True)
    both = both[both["train_size"].isin(list(known & own))]
    return both.sort_values("train_size", kind="stable", ignore_index=True)


def _our_results(records: pd.DataFrame) -> pd.DataFrame:
    runs = records.groupby(["data", "label", "train_size"])
    rows: list[dict[str, object]] = []
    for point in accuracy_curves(records).to_dict("records"):
        run = runs.get_group((point["data"], point["label"], point["train_size"])).iloc[0]
        percents = {name: 100 * point[name] for name in ("low", "high")}
        row = {**percents, "train_size": point["train_size"], "model": point["label"]}
        row |= {"params": run.get("params"), "accuracy": 100 * point["mean"], "n": point["n"]}
        rows.append({**row, "source": "this suite", "how": None, **{name: run.get(name) for name in SETUP}})
    return pd.DataFrame(rows)


def _listed(sizes: set[int]) -> str:
    return ", ".join(f"{size:,}" for size in sorted(sizes))
