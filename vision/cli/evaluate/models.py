"""The models of finished runs with their images, checked before they are evaluated.

>>> loaded, left_out = load_runs(runs, torch.device("cpu"))  # doctest: +SKIP
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vision import results
from vision.cli.evaluate.runs import FinishedRun
from vision.cli.run_data import run_inputs
from vision.config import import_module
from vision.data import Inputs, has_changed
from vision.dynamic import JsonObject
from vision.models import load_model
from vision.models.saved import read_saved
from vision.robustness import Classifier
from vision.text import one_line

CHECKED = 64  # test images on which a model must give the classes that its run wrote down
SAME = 0.9  # share of them; lower precision and other devices change a few


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A finished run, ready to be evaluated.

    Attributes:
        finished: the run.
        classifier: its model.
        inputs: its images.
    """

    finished: FinishedRun
    classifier: Classifier
    inputs: Inputs

    @property
    def columns(self) -> JsonObject:
        """The columns that say which run a row is of."""
        return {**self.finished.columns, "device": str(self.classifier.device)}


def load_runs(runs: Sequence[FinishedRun], device: torch.device) -> tuple[list[LoadedRun], list[str]]:
    """Return the runs that can be evaluated, and why others cannot."""
    loaded: list[LoadedRun] = []
    sentences: list[str] = []
    for run in runs:
        try:
            loaded.append(_load(run, device))
        except (ValueError, OSError, RuntimeError) as error:
            sentences.append(f"left out: {run.row['folder']}: {one_line(error)}")
    return loaded, sentences


def _load(run: FinishedRun, device: torch.device) -> LoadedRun:
    """Return a run with its model and images.

    Raises:
        ValueError: its images are not those that it was trained with, or its model is not the one that was
            scored.
        FileNotFoundError: its images are not there.
    """
    saved, inputs = read_saved(run.path), run_inputs(run.path)
    name = f"data.name={inputs.config.name}"
    if has_changed(str(run.row.get("data_fingerprint") or ""), inputs.source.fingerprint):
        raise ValueError(f"the images or labels of {name} changed since it was trained")
    size, own = tuple(saved.images["input_size"]), inputs.source.test.shape
    if size != own:
        raise ValueError(f"its model takes images of {_text(size)}, and those of {name} are {_text(own)}")
    import_module("model.module", run.row.get("model.module") or None)
    mean, std = list(saved.images["mean"]), list(saved.images["std"])
    classifier = Classifier(load_model(run.path), mean=mean, std=std, device=device)
    _check_predictions(run.path, classifier, inputs)
    return LoadedRun(run, classifier, inputs)


def _check_predictions(folder: Path, classifier: Classifier, inputs: Inputs) -> None:
    """Compare the classes of a few test images with those that the run wrote down, if it did."""
    file = folder / results.PREDICTIONS
    if not file.is_file():
        return
    written: Any = np.load(file)[:CHECKED]
    few = inputs.test.pick(torch.arange(len(written)))
    share = float((classifier.logits(few.in_memory()).argmax(1).numpy() == written).mean())
    if share < SAME:
        raise ValueError(
            f"its model gives {1 - share:.0%} of the first {len(written)} test images other classes than "
            f"{results.PREDICTIONS} has"
        )


def _text(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
