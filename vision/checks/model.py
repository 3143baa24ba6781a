"""Checks of a run's model: whether it can be built for its images, fits into memory and trains.

>>> size, macs = check_model(config, inputs, torch.device("cpu"), images=2)  # doctest: +SKIP
"""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import nn

from vision.checks.memory import gigabytes, memory_of
from vision.checks.sentence import in_a_sentence
from vision.config import RunConfig, require_flags, this_process_of_run
from vision.data import Inputs
from vision.dynamic import Arguments
from vision.experiment import build_model, find_start, folder_size, model_arguments
from vision.models import Start, cost, create_model
from vision.training import frozen_backbone, share_batch_norms, try_model

# float32 weights, their gradients, and the two moments of AdamW
BYTES_PER_PARAMETER = 16


def check_model(run: RunConfig, inputs: Inputs, device: torch.device, images: int) -> tuple[int, int]:
    """Check the model; returns the bytes of its run's files, and its multiply-adds for one image.

    It is trained on as many images: 2, 1 if a batch has a part of one image, or none.
    """
    source, name = inputs.source, run.model.name
    shape = source.train.shape
    size = " x ".join(map(str, shape))
    what = f"model.name={name!r} with model.kwargs={run.model.kwargs} cannot be built for images of {size}"
    with in_a_sentence(what), _with_full_names(run.model.kwargs):
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


@contextmanager
def _with_full_names(arguments: Arguments) -> Generator[None]:
    """Name an argument of a model by its setting in errors that begin with it, as model.kwargs.depth."""
    try:
        yield
    except ValueError as error:
        if str(error).partition(" ")[0] not in arguments:
            raise
        raise ValueError(f"model.kwargs.{error}") from error


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
    needed, memory = BYTES_PER_PARAMETER * params, memory_of(device)
    if needed > memory:
        raise ValueError(
            f"model.name={run.model.name!r} with model.kwargs={run.model.kwargs} has {params:,.0f} "
            f"parameters and needs {gigabytes(needed)} to train, and {device} has {gigabytes(memory)} of "
            "memory"
        )
