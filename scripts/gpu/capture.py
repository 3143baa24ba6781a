"""One training step in four ways: eager, compiled, forward and backward captured, the whole step captured.

Each way is a function, Work -> a step without arguments, so that a later choice can be made by measurement.
A way that cannot be had raises; the caller records the message and keeps the eager step.

>>> work = make_work("field_vit", torch.device("cpu"), batch=8)
>>> float(WAYS["eager"](work)()) > 0
True
"""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.optim import param_groups_weight_decay  # pyright: ignore[reportPrivateImportUsage]
from torch import Tensor, nn

import vision

WARM_UP = 3  # steps on a side stream before a capture, so that lazy work is done outside of it
MAX_NORM, SMOOTHING, LR, WEIGHT_DECAY = 1.0, 0.1, 1e-3, 0.05
CUDA_ONLY = "needs a CUDA device"

StepFunction = Callable[[], Tensor]


@dataclass
class Work:
    """A model with the batch that it trains on, both on the device.

    Attributes:
        model: in training mode.
        images: (B, C, H, W) float32; a captured step reads this tensor again and again.
        targets: int64 (B,).
        device: of all three.
        dtype: of autocast; float32 is without.
    """

    model: nn.Module
    images: Tensor
    targets: Tensor
    device: torch.device
    dtype: torch.dtype


def make_work(
    name: str,
    device: torch.device,
    *,
    batch: int,
    img_size: int = 32,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
    **arguments: Any,
) -> Work:
    """Return a model of timm's registry and a random batch, the same for the same arguments.

    Args:
        name: in timm's registry, ours included.
        device: where both are.
        batch: number of images.
        img_size: side of an image in pixels.
        dtype: of autocast.
        channels_last: memory format of the model and of the images.
        arguments: of the model; params solves for its widths.
    """
    assert vision.__name__  # its import adds our models to the registry
    torch.manual_seed(0)
    given = vision_arguments(name, img_size, arguments)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model: Any = timm.create_model(name, **given).to(device).train()
    model = model.to(memory_format=layout)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(batch, 3, img_size, img_size, generator=generator)
    targets = torch.randint(10, (batch,), generator=generator)
    return Work(model, images.to(device, memory_format=layout), targets.to(device), device, dtype)


def vision_arguments(name: str, img_size: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of a model for images (B, 3, img_size, img_size) in 10 classes."""
    from vision.models import complete_arguments

    return complete_arguments(name, img_size=img_size, in_chans=3, num_classes=10, **arguments)


def copy_of(work: Work) -> Work:
    """Return the same work with a model of its own."""
    return replace(work, model=copy.deepcopy(work.model))


def eager(work: Work) -> StepFunction:
    """Return the step as PyTorch runs it, one launch after another."""
    return _step(work, work.model, _optimizer(work, capturable=False))


def compiled(work: Work) -> StepFunction:
    """Return the step with forward and backward under torch.compile(mode="reduce-overhead")."""
    model: Any = torch.compile(work.model, mode="reduce-overhead")
    step = _step(work, model, _optimizer(work, capturable=False))

    def marked() -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        return step()

    return marked


def graphed_model(work: Work) -> StepFunction:
    """Return the step with forward and backward as CUDA graphs, by torch.cuda.make_graphed_callables."""
    _needs_cuda(work)
    with _autocast(work, cache=False):
        model: Any = torch.cuda.make_graphed_callables(work.model, (work.images,))
    return _step(work, model, _optimizer(work, capturable=False), cache=False)


def graphed_step(work: Work) -> StepFunction:
    """Return the whole step, optimizer included, as one CUDA graph over static tensors."""
    _needs_cuda(work)
    optimizer = _optimizer(work, capturable=True)
    body = _step(work, work.model, optimizer, zero_grad=False)
    before = copy.deepcopy(work.model.state_dict())
    return captured(body, optimizer, after_warm_up=lambda: _undo(work.model, before, optimizer))


def captured(
    body: StepFunction, optimizer: torch.optim.Optimizer, *, after_warm_up: Callable[[], None] = lambda: None
) -> StepFunction:
    """Return a step that replays one CUDA graph of `body`, which clears no gradients itself.

    Args:
        body: forward, loss, backward and optimizer over static tensors; returns the loss.
        optimizer: capturable.
        after_warm_up: called before the capture, as the warm-up trained.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            optimizer.zero_grad(set_to_none=True)
            body()
    torch.cuda.current_stream().wait_stream(side)
    after_warm_up()
    # Gradients that are None now are allocated inside the graph, and each replay writes them from nothing.
    optimizer.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = body()

    def replay() -> Tensor:
        graph.replay()
        return loss

    return replay


WAYS: dict[str, Callable[[Work], StepFunction]] = {
    "eager": eager,
    "graphed_step": graphed_step,
    "graphed_model": graphed_model,
    "compiled": compiled,
}


def relative_difference(one: nn.Module, other: nn.Module) -> float:
    """Return the norm of the difference of all parameters over their norm."""
    with torch.no_grad():
        pairs = list(zip(one.parameters(), other.parameters(), strict=True))
        difference = sum(float((a - b).double().square().sum()) for a, b in pairs)
        return (difference / sum(float(b.double().square().sum()) for _, b in pairs)) ** 0.5


def _step(
    work: Work,
    model: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    zero_grad: bool = True,
    cache: bool = True,
) -> StepFunction:
    parameters = list(work.model.parameters())

    def step() -> Tensor:
        with _autocast(work, cache=cache):
            logits = model(work.images)
        loss = F.cross_entropy(logits.float(), work.targets, label_smoothing=SMOOTHING)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, MAX_NORM)
        optimizer.step()
        if zero_grad:
            optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def _undo(model: nn.Module, before: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Put weights and buffers back, and the optimizer's averages to 0, without new memory."""
    model.load_state_dict(before)
    for state in optimizer.state.values():
        for value in state.values():
            value.zero_()


def _optimizer(work: Work, *, capturable: bool) -> torch.optim.Optimizer:
    """AdamW; one that can be captured reads its learning rate from a tensor on the device."""
    groups = param_groups_weight_decay(work.model, WEIGHT_DECAY)
    lr = torch.tensor(LR, device=work.device) if capturable else LR
    return torch.optim.AdamW(groups, lr=lr, fused=True, capturable=capturable)


def _autocast(work: Work, *, cache: bool = True) -> AbstractContextManager[Any]:
    return torch.autocast(
        work.device.type, dtype=work.dtype, enabled=work.dtype != torch.float32, cache_enabled=cache
    )


def _needs_cuda(work: Work) -> None:
    if work.device.type != "cuda":
        raise RuntimeError(CUDA_ONLY)
