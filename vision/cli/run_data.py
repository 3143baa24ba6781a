"""The images of a finished run, read again as the run read them.

>>> run_inputs(Path("outputs/demo/ViT/n1200/s0")).test.shape  # doctest: +SKIP
(1, 8, 8)
"""

import json
from dataclasses import fields
from pathlib import Path

from vision.config import DataConfig, current_names
from vision.data import Inputs, load_inputs
from vision.dynamic import Arguments
from vision.models.saved import read_saved
from vision.results import RESULT

_PREFIX = "data."


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a finished run."""
    return (folder / RESULT).is_file()


def run_inputs(folder: Path) -> Inputs:
    """Return the training subset and the test images of a finished run, with the run's normalization.

    Raises:
        ValueError: the record has no settings of its data.
        FileNotFoundError: the data are not where they were.
    """
    record = json.loads((folder / RESULT).read_text())
    settings = current_names(record.get("settings") or {})
    if "data.source" not in settings:
        raise ValueError(f"{folder / RESULT} has no settings of the data that it was trained on")
    known = {field.name for field in fields(DataConfig)}
    given: Arguments = {"options": {}}
    for name, value in settings.items():
        first, _, rest = name.removeprefix(_PREFIX).partition(".")
        if not name.startswith(_PREFIX) or first not in known or first == "augment":
            continue
        if rest:
            given[first][rest] = value
        elif value is not None and value != {}:
            given[first] = value
    images = read_saved(folder).images
    given |= {"mean": list(images["mean"]), "std": list(images["std"])}
    return load_inputs(DataConfig(**given), record["train_size"])
