"""One training step in several ways: eager, captured, compiled, or with parts of it captured.

Each way is a function, Work -> a step without arguments, so that they can be timed side by side.
A way that cannot be had raises.

>>> work = make_work("field_vit", torch.device("cpu"), batch=8)
>>> float(WAYS["eager"](work)()) > 0
True
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import timm
import torch
from torch import Tensor, nn

import vision
from vision.config import TrainingConfig
from vision.training import Step, create_optimizer, resolve_precision
from vision.training.cuda_graph import CAPTURED, EAGER_STEPS, CapturedStep

CUDA_ONLY = "needs a CUDA device"

StepFunction = Callable[[], Any]


@dataclass
class Work:
    """A model with the batch that it trains on, both on the device.

    Attributes:
        model: in training mode.
        images: (B, C, H, W) float32; a captured step reads this tensor again and again.
        targets: int64 (B,).
        device: of all three.
        config: the recipe.
    """

    model: nn.Module
    images: Tensor
    targets: Tensor
    device: torch.device
    config: TrainingConfig


def make_work(
    name: str,
    device: torch.device,
    *,
    batch: int,
    img_size: int = 32,
    precision: str = "float32",
    memory_format: str = "contiguous",
    **arguments: Any,
) -> Work:
    """Return a model of timm's registry and a random batch, the same for the same arguments.

    Args:
        name: in timm's registry, ours included.
        device: where both are.
        batch: number of images.
        img_size: side of an image in pixels.
        precision: of the recipe.
        memory_format: of the recipe.
        arguments: of the model; params solves for its widths.
    """
    assert vision.__name__  # its import adds our models to the registry
    torch.manual_seed(0)
    given = vision_arguments(name, img_size, arguments)
    model = timm.create_model(name, **given).to(device).train()
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(batch, 3, img_size, img_size, generator=generator)
    targets = torch.randint(10, (batch,), generator=generator)
    config = TrainingConfig(precision=precision, memory_format=memory_format, batch_size=batch)
    return Work(model, images.to(device), targets.to(device), device, config)


def vision_arguments(name: str, img_size: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of a model for images (B, 3, img_size, img_size) in 10 classes."""
    from vision.models import complete_arguments

    return complete_arguments(name, img_size=img_size, in_chans=3, num_classes=10, **arguments)


def copy_of(work: Work) -> Work:
    """Return the same work with a model of its own."""
    return replace(work, model=copy.deepcopy(work.model))


def eager(work: Work) -> StepFunction:
    """Return the step of `vision train`, run one launch after another."""
    return partial(_step(work), work.images, work.targets)


def graphed_step(work: Work) -> StepFunction:
    """Return the step of `vision train`, optimizer included, as one CUDA graph, from its fourth call on."""
    _needs_cuda(work)
    step = CapturedStep(_step(work))

    def captured() -> Tensor:
        loss = step(work.images, work.targets)
        if step.calls > EAGER_STEPS and step.outcome != CAPTURED:
            raise RuntimeError(step.outcome)
        return loss

    return captured


def compiled_and_graphed(work: Work) -> StepFunction:
    """Return the captured step of a model under torch.compile."""
    return graphed_step(replace(work, config=replace(work.config, compile=True)))


def compiled(work: Work) -> StepFunction:
    """Return the step with forward and backward under torch.compile(mode="reduce-overhead")."""
    model: Any = torch.compile(work.model, mode="reduce-overhead")
    step = _step(work, model)

    def marked() -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        return step(work.images, work.targets)

    return marked


def graphed_model(work: Work) -> StepFunction:
    """Return the step with forward and backward as CUDA graphs, by torch.cuda.make_graphed_callables."""
    _needs_cuda(work)
    dtype = resolve_precision(work.config.precision, work.device)
    # Without its cache: a cached cast of the weights would be shared by graphs that do not know of it.
    with torch.autocast("cuda", dtype=dtype, enabled=dtype != torch.float32, cache_enabled=False):
        model: Any = torch.cuda.make_graphed_callables(work.model, (work.images,))
    return partial(_step(work, model), work.images, work.targets)


def replayed(function: StepFunction) -> StepFunction:
    """Return any function of fixed tensors on a CUDA device as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(EAGER_STEPS):
            function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function()

    def replay(kept: StepFunction = function) -> Any:  # and with it the tensors that the graph reads
        graph.replay()
        return result

    return replay


WAYS: dict[str, Callable[[Work], StepFunction]] = {
    "eager": eager,
    "graphed_step": graphed_step,
    "compiled_and_graphed": compiled_and_graphed,
    "graphed_model": graphed_model,
    "compiled": compiled,
}


def relative_difference(one: nn.Module, other: nn.Module) -> float:
    """Return the norm of the difference of all parameters over their norm."""
    with torch.no_grad():
        pairs = list(zip(one.parameters(), other.parameters(), strict=True))
        difference = sum(float((a - b).double().square().sum()) for a, b in pairs)
        return (difference / sum(float(b.double().square().sum()) for _, b in pairs)) ** 0.5


def _step(work: Work, model: nn.Module | None = None) -> Step:
    optimizer = create_optimizer(work.model, work.config, work.device)
    return Step(work.model if model is None else model, optimizer, work.config, work.device)


def _needs_cuda(work: Work) -> None:
    if work.device.type != "cuda":
        raise RuntimeError(CUDA_ONLY)
