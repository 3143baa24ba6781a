"""The outputs of a sweep's models for the test images: predicted classes and logits.

>>> outputs, labels = logits("outputs/demo", collect("outputs/demo"))  # doctest: +SKIP
>>> outputs.shape, labels.shape  # doctest: +SKIP
((24, 360, 10), (360,))
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from vision.results.checksums import check_file
from vision.results.files import LABELS, LOGITS, PREDICTIONS
from vision.results.index import index


def predictions(sweep: Path | str, records: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted classes of each run, (R, N), and the true classes, (N,).

    Raises:
        FileNotFoundError: a run has no labels next to its predictions, such as runs of record version 1.
        ValueError: two runs were tested on different images, or a file cannot be read.
    """
    folders = [Path(sweep) / folder for folder in records["folder"]]
    labels = _labels(folders)
    return np.stack([_load(folder / PREDICTIONS) for folder in folders]), labels


def logits(sweep: Path | str, records: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of each run, float32 (R, N, classes), and the true classes, (N,).

    They were rounded to float16, three decimal digits. Where rounding makes two logits equal, their largest
    need not be the class in `predictions`.

    Args:
        sweep: the folder that `records` was collected from.
        records: the runs whose logits to read.

    Raises:
        FileNotFoundError: a run has no logits: it is older than they are, or had save_logits=false.
        ValueError: two runs were tested on different images, or a file cannot be read.
    """
    folders = [Path(sweep) / folder for folder in records["folder"]]
    if without := [folder for folder in folders if not (folder / LOGITS).exists()]:
        raise FileNotFoundError(
            f"{len(without)} of {len(folders)} runs have no {LOGITS}, such as {without[0]}: they are older "
            "than this file, or had save_logits=false; leave them out, or train them again in another sweep"
        )
    labels = _labels(folders)
    return np.stack([_load(folder / LOGITS).astype(np.float32) for folder in folders]), labels


def altered_files(sweep: Path | str, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the folders of runs whose file of a name is not the one that the run wrote, by the name.

    Missing files, damaged runs, and runs of versions before 4, which have no checksums, are left out.
    """
    sweep, altered = Path(sweep), {name: list[str]() for name in names}
    for run in index(sweep):
        record = run.read() if run.seal and not run.damage else {}
        for name, folders in altered.items():
            try:
                check_file(sweep / run.folder, name, record)
            except FileNotFoundError:
                continue
            except (ValueError, OSError):
                folders.append(run.folder)
    return altered


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _labels(folders: list[Path]) -> np.ndarray:
    """Return the true classes of the test images, which all runs must share."""
    labels = [_load(folder / LABELS) for folder in folders]
    for folder, other in zip(folders, labels, strict=True):
        if not np.array_equal(other, labels[0]):
            raise ValueError(f"{folder} was tested on other images than {folders[0]}; they cannot be paired")
    return labels[0]
