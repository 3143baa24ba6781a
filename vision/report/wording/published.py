"""How a result was trained, next to published ones.

>>> how_trained({"how": None, "data": "cifar10-jpeg", "steps": 300, "training.lr": 0.002})
'300 steps, lr 0.002, re-encoded as JPEG of quality 75'
"""

import pandas as pd

from vision.dynamic import TableRow

SETTINGS = {
    "steps": "{:,.0f} steps",
    "training.batch_size": "batch {:g}",
    "training.lr": "lr {:g}",
    "training.weight_decay": "weight decay {:g}",
    "data.augment.crop_padding": "crop {:g}",
    "n_train": "{:,.0f} of the images trained on",
}
OTHER_IMAGES = {"cifar10-jpeg": "re-encoded as JPEG of quality 75"}


def how_trained(row: TableRow) -> str:
    """Return the source's own words, or the settings of our run and how its images differ.

    Args:
        row: A row of `vision.statistics.compare_with_published`.
    """
    if pd.notna(row["how"]):
        return row["how"]
    known = {name: text for name, text in SETTINGS.items() if pd.notna(row.get(name))}
    parts = [text.format(row[name]) for name, text in known.items()]
    other = OTHER_IMAGES.get(row["data"])
    return ", ".join([*parts, other] if other else parts)
