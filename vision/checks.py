"""Checks of all runs before the first one: whether their data, devices and models exist and fit.

>>> check_together([config])  # doctest: +SKIP
[1234567]
"""

import os
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from vision import results
from vision.config import DataConfig, RunConfig, gpu_share, require_flags, this_process_of_run
from vision.data import Inputs, has_changed, load_inputs, load_source, reading_key
from vision.dynamic import Arguments
from vision.experiment import (
    OwnMetrics,
    build_model,
    check_run,
    find_start,
    folder_size,
    model_arguments,
    require_validation,
)
from vision.models import Start, cost, create_model
from vision.training import (
    budget_steps,
    frozen_backbone,
    resolve_device,
    share_batch_norms,
    smallest_part,
    try_model,
    try_recipe,
)

# float32 weights, their gradients, and the two moments of AdamW
BYTES_PER_PARAMETER = 16
PASSES = 3  # a backward pass has about twice the multiply-adds of the forward pass

_T = TypeVar("_T")
FinishedData = tuple[
    DataConfig, str, str
]  # the data of a finished run, its fingerprint, and the run's folder


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
    _check_images(run, inputs.source.train.shape, device)
    patience = run.training.patience
    for what in filter(None, (chosen_by, f"training.patience={patience}" if patience else "")):
        require_validation(what, run, inputs)
    once((repr(run.data.augment), repr(run.training)), lambda: _check_recipe(run, inputs))
    shape, frozen = inputs.source.train.shape, run.training.freeze_backbone
    images = min(2, smallest_part(run.training, processes=inputs.process.count)) if trains else 0
    key = (repr(run.model), shape, len(inputs.source.classes), len(inputs.test), frozen, images)
    size, macs = once(key, lambda: _check_model(run, inputs, device, images))
    steps = budget_steps(run.training, len(inputs.subset.train))
    return Estimate(size, PASSES * macs * run.training.batch_size * steps)


def _load(run: RunConfig, device: torch.device) -> Inputs:
    with _reading(run.data):
        return load_inputs(run.data, run.train_size, device=device)


def _reading(data: DataConfig) -> AbstractContextManager[None]:
    return _in_a_sentence(f"data.source={data.source} cannot be read")


def _check_images(run: RunConfig, shape: tuple[int, int, int], device: torch.device) -> None:
    channels, height, width = shape
    padding, side = run.data.augment.crop_padding, min(height, width)
    if padding >= side:
        raise ValueError(
            f"data.augment.crop_padding must be below the images' side of {side} pixels, got {padding}"
        )
    needed, memory = 4 * run.training.batch_size * channels * height * width, _memory(device)
    if needed > memory:
        raise ValueError(
            f"training.batch_size={run.training.batch_size} needs {_gigabytes(needed)} for the images of a "
            f"batch alone, and {device} has {_gigabytes(memory)} of memory; give a smaller one"
        )


def _check_recipe(run: RunConfig, inputs: Inputs) -> None:
    """Refuse augmentation, metrics, an optimizer or a schedule with which no step can be made."""
    channels, classes = inputs.source.train.shape[0], len(inputs.source.classes)
    mean, std = run.data.mean or [0.5] * channels, run.data.std or [0.5] * channels
    batches = replace(inputs, mean=mean, std=std).train_batches(run.training.batch_size, seed=0)
    policy = run.data.augment.policy
    own = policy is not None and ":" in policy
    if inputs.source.train.resident or own:  # others would start processes
        with _in_a_sentence(f"data.augment.policy={policy} cannot be {'called' if own else 'done'}"):
            next(iter(batches))
    with _in_a_sentence(f"training.metrics={run.training.metrics} cannot be called"):
        OwnMetrics(run.training)(torch.randn(4 * classes, classes), torch.arange(classes).repeat(4))
    try_recipe(run.training)


@contextmanager
def _in_a_sentence(failure: str) -> Generator[None]:
    """Turn an error of the user's code, or of a library, into a ValueError that begins with `failure`."""
    try:
        yield
    except (ValueError, OSError):
        raise
    except Exception as error:
        raise ValueError(f"{failure}: {type(error).__name__}: {_line(error)}") from error


def _check_model(run: RunConfig, inputs: Inputs, device: torch.device, images: int) -> tuple[int, int]:
    """Check the model; returns the bytes of its run's files, and its multiply-adds for one image.

    It is trained on as many images: 2, 1 if a batch has a part of one image, or none.
    """
    source, name = inputs.source, run.model.name
    shape = source.train.shape
    size = " x ".join(map(str, shape))
    what = f"model.name={name!r} with model.kwargs={run.model.kwargs} cannot be built for images of {size}"
    with _in_a_sentence(what):
        start = _start(run)
        _check_asked(run, start, device)
        arguments = model_arguments(run.model, source, start)
        _check_built(run, arguments, device)
        model = build_model(run.model, arguments, start)
        share_batch_norms(model, device, this_process_of_run().count)
        with torch.no_grad(), frozen_backbone(model, enabled=run.training.freeze_backbone):
            outputs = model.eval()(torch.zeros(1, *shape))
            macs = cost(model, shape).macs
    expected = (1, len(source.classes))
    if tuple(getattr(outputs, "shape", ())) != expected:
        got = getattr(outputs, "shape", None)
        raise ValueError(
            f"model.name={name!r} must return one logit for each of the {expected[1]} classes, {expected}, "
            f"got {type(outputs).__name__ if got is None else tuple(got)}"
        )
    require_flags("model.kwargs", run.model.kwargs, type(model).__init__)
    if images:
        try_model(model, run.training, shape=shape, images=images)
    return folder_size(model, len(inputs.test), expected[1]), macs


def _start(run: RunConfig) -> Start | None:
    """Return the weights that the model starts with; None if a run of the same sweep is to train them."""
    start, sweep = run.model.init_from, Path(run.output_dir) / run.sweep
    if start and Path(start).is_relative_to(sweep) and not Path(start).exists():
        return None  # they are looked for when the run begins
    return find_start(run.model)


def _check_asked(run: RunConfig, start: Start | None, device: torch.device) -> None:
    """Refuse a number of parameters that no memory holds, before widths are sought that give it."""
    asked = None if start else run.model.kwargs.get("params")
    _check_parameters(run, asked if isinstance(asked, int | float) else 0, device)


def _check_built(run: RunConfig, arguments: Arguments, device: torch.device) -> None:
    """Refuse a model that no memory holds, before it is built."""
    model: nn.Module | None = None
    with suppress(Exception), torch.device("meta"):  # some models cannot be built without memory
        model = create_model(run.model.name, **arguments)
    if model is not None:
        _check_parameters(run, sum(parameter.numel() for parameter in model.parameters()), device)


def _check_parameters(run: RunConfig, params: float, device: torch.device) -> None:
    needed, memory = BYTES_PER_PARAMETER * params, _memory(device)
    if needed > memory:
        raise ValueError(
            f"model.name={run.model.name!r} with model.kwargs={run.model.kwargs} has {params:,.0f} "
            f"parameters and needs {_gigabytes(needed)} to train, and {device} has {_gigabytes(memory)} of "
            "memory"
        )


def _memory(device: torch.device) -> int:
    """Return the bytes of memory of the device."""
    if device.type == "cuda":
        return int(gpu_share() * torch.cuda.mem_get_info(device)[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
