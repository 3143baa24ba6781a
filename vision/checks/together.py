"""Checks of all runs before the first one: whether their data, devices and models exist and fit.

>>> check_together([config])  # doctest: +SKIP
[1234567]
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from vision import results
from vision.checks.model import check_model
from vision.checks.recipe import check_images, check_recipe
from vision.checks.sentence import in_a_sentence
from vision.config import DataConfig, RunConfig
from vision.data import Inputs, has_changed, load_inputs, load_source, reading_key
from vision.experiment import check_run, require_validation
from vision.training import budget_steps, resolve_device, smallest_part

PASSES = 3  # a backward pass has about twice the multiply-adds of the forward pass

_T = TypeVar("_T")
# The data of a finished run, its fingerprint, and the run's folder.
FinishedData = tuple[DataConfig, str, str]


class Estimate(NamedTuple):
    """What a run needs: bytes for its files, and multiply-adds for its training, both about."""

    size: int
    work: float


def check_together(
    runs: Sequence[RunConfig],
    finished: Sequence[FinishedData] = (),
    *,
    chosen_by: str = "",
    trains: bool = True,
) -> list[Estimate]:
    """Check runs with their data and devices; each data set is read, and each model built, once.

    Args:
        runs: the runs to do.
        finished: finished runs of the same sweep, whose images must be those that are there now.
        chosen_by: what compares the runs by their validation accuracy, and so needs validation images.
        trains: whether each model is trained on two images, which may end the process.

    Returns:
        What each run needs.

    Raises:
        ValueError, OSError: the first run that cannot be run; the message names the setting.
        DiskFull: there is no room for the files of all of them.
    """
    for run in runs:
        check_run(run)
    for run in {(run.output_dir, run.sweep): run for run in runs}.values():
        results.check_writable(Path(run.output_dir) / run.sweep, "output_dir")
    checked: dict[Hashable, Any] = {}
    order = sorted(range(len(runs)), key=lambda number: repr(runs[number].data))
    _check_unchanged(runs, finished)
    needed = {number: _check_with_data(runs[number], checked, chosen_by, trains=trains) for number in order}
    if runs:
        size = sum(estimate.size for estimate in needed.values())
        results.check_room(Path(runs[0].output_dir), size, f"the files of {len(runs)} runs")
    return [needed[number] for number in range(len(runs))]


def _check_unchanged(runs: Sequence[RunConfig], finished: Sequence[FinishedData]) -> None:
    """Refuse to go on with a sweep whose data changed after a run of it had finished."""
    known = {reading_key(run.data): run for run in runs}
    for data, fingerprint, folder in finished:
        run = known.get(reading_key(data))
        if run is None or not fingerprint:
            continue
        with _reading(run.data):
            now = load_source(run.data, device=resolve_device(run.training.device)).fingerprint
        if has_changed(fingerprint, now):
            raise ValueError(
                f"the images or labels of data.name={data.name} changed since the run in {folder} finished; "
                "put them back, or use another folder with sweep=NAME"
            )


def _check_with_data(
    run: RunConfig, checked: dict[Hashable, Any], chosen_by: str, *, trains: bool
) -> Estimate:
    def once(key: Hashable, check: Callable[[], _T]) -> _T:
        if key not in checked:
            checked[key] = check()
        return checked[key]

    device = resolve_device(run.training.device)
    # Mean and std are given, as measuring them reads every image; which subset is drawn makes no difference.
    data = replace(run.data, mean=[0.5], std=[0.5], subset_seed=0)
    inputs = once((repr(data), run.train_size), lambda: _load(replace(run, data=data), device))
    check_images(run, inputs.source.train.shape, device)
    patience = run.training.patience
    for what in filter(None, (chosen_by, f"training.patience={patience}" if patience else "")):
        require_validation(what, run, inputs)
    once((repr(run.data.augment), repr(run.training)), lambda: check_recipe(run, inputs))
    shape, frozen = inputs.source.train.shape, run.training.freeze_backbone
    images = min(2, smallest_part(run.training, processes=inputs.process.count)) if trains else 0
    key = (repr(run.model), shape, len(inputs.source.classes), len(inputs.test), frozen, images)
    size, macs = once(key, lambda: check_model(run, inputs, device, images))
    steps = budget_steps(run.training, len(inputs.subset.train))
    return Estimate(size, PASSES * macs * run.training.batch_size * steps)


def _load(run: RunConfig, device: torch.device) -> Inputs:
    with _reading(run.data):
        return load_inputs(run.data, run.train_size, device=device)


def _reading(data: DataConfig) -> AbstractContextManager[None]:
    return in_a_sentence(f"data.source={data.source} cannot be read")
