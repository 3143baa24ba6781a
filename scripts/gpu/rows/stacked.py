"""Several models as one with batched weights, by torch.func, captured, over one captured step."""

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from gpu import capture
from gpu.timing import Row, in_turns, ratio, summary

COUNTS = (2, 8)
PARAMS, BATCH = 200_000, 64


def stacked(device: torch.device, tiny: bool, *, model: str) -> Iterator[Row]:
    """Yield ms of one step of all models at once, and models' steps per second over one model's."""
    params, batch, rounds = (20_000, 8, 2) if tiny else (PARAMS, BATCH, 9)
    work = capture.make_work(model, device, batch=batch, params=params)
    alone = capture.graphed_step if device.type == "cuda" else capture.eager
    steps = {"1": alone(capture.copy_of(work))} | {str(count): _stacked(work, count) for count in COUNTS}
    taken = in_turns(steps, device, rounds=rounds)
    case = {"model": model, "params": params, "batch": batch}
    for count in (1, *COUNTS):
        seconds = taken[str(count)]
        faster = ratio([count * one for one in taken["1"]], seconds)
        yield {**case, "models": count, **summary(seconds), **faster, "of": "steps/s over one model's"}


def _stacked(work: capture.Work, count: int) -> capture.StepFunction:
    """The step of `count` copies: one graph on CUDA, eager on a CPU. No decay is left out for any weight."""
    weights, buffers = stack_module_state([copy.deepcopy(work.model) for _ in range(count)])
    skeleton = work.model
    images = work.images.expand(count, *work.images.shape)
    targets = work.targets.repeat(count)
    cuda = work.device.type == "cuda"
    optimizer = torch.optim.AdamW(weights.values(), lr=work.config.lr, fused=True, capturable=cuda)

    def logits_of(own: dict[str, Tensor], state: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(skeleton, (own, state), (x,))

    def step() -> Tensor:
        # Under vmap the fused kernels of attention fail in their backward, and so does autocast.
        with sdpa_kernel(SDPBackend.MATH):
            logits = vmap(logits_of)(weights, buffers, images)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets, reduction="sum") / len(work.targets)
        loss.backward()
        squares = [p.grad.flatten(1).square().sum(1) for p in weights.values() if p.grad is not None]
        scale = (1.0 / (torch.stack(squares).sum(0).sqrt() + 1e-6)).clamp(max=1.0)
        for p in weights.values():
            if p.grad is not None:
                p.grad.mul_(scale.view(-1, *[1] * (p.dim() - 1)))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return capture.replayed(step) if cuda else step
