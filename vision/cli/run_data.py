"""The images of a finished run, read again as the run read them.

>>> run_inputs(Path("outputs/demo/ViT/n1200/s0")).test.shape  # doctest: +SKIP
(1, 8, 8)
"""

import json
from pathlib import Path

from vision.config import written_data
from vision.data import Inputs, load_inputs
from vision.models.saved import read_saved
from vision.results import RESULT


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
    try:
        config = written_data(record.get("settings") or {})
    except ValueError as error:
        raise ValueError(f"{folder / RESULT}: {error}") from error
    images = read_saved(folder).images
    config.mean, config.std = list(images["mean"]), list(images["std"])
    return load_inputs(config, record["train_size"])
