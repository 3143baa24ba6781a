"""Fields, inputs and gradients for tests of attention on a device, shared by the files of tests/cuda."""

from collections.abc import Callable

import torch
from torch import Tensor

from vision import Grid, attend
from vision.fields import Field, full, neighbourhood, tiled, truncated

HEADS, DIM = 3, 32


def random_mask() -> Field:
    """A mask whose first row is empty."""
    allowed = torch.rand(56, 56, generator=torch.Generator().manual_seed(0)) < 0.4
    allowed[0] = False
    return Field(Grid(7, 8), Grid(7, 8), allowed=allowed)


FIELDS = {
    "3x3": neighbourhood(Grid(8, 8), 3),
    "5x5": neighbourhood(Grid(7, 9), 5),
    "dilated": neighbourhood(Grid(9, 7), 3, dilation=2),
    "strided": neighbourhood(Grid(8, 10), 3, stride=2),
    "truncated": truncated(50, 5),
    "tiles": tiled(Grid(8, 9), 3, shift=1),
    "mask": random_mask(),
    "full": full(Grid(6, 7)),
    "cross": full(Grid(3, 4), Grid(6, 7)),
    "empty": Field(Grid(4, 4), Grid(4, 4), offsets=((9, 9), (-9, -9))),
}


def inputs(field: Field, dtype: torch.dtype, batch: int = 2) -> list[Tensor]:
    """q, k, v on the CPU: views of memory (B, N, H, D), as a linear map of tokens leaves them."""
    generator = torch.Generator().manual_seed(0)
    sizes = (field.queries.size, field.keys.size, field.keys.size)
    draws = [torch.randn(batch, n, HEADS, DIM, generator=generator).to(dtype) for n in sizes]
    return [x.transpose(1, 2) for x in draws]


def bias_of(field: Field, form: str) -> Tensor | None:
    if form == "none":
        return None
    shape = (
        (HEADS, field.columns) if form == "per offset" else (1, HEADS, field.queries.size, field.keys.size)
    )
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def run(
    tensors: list[Tensor], bias: Tensor | None, field: Field, backend: str, device: torch.device | str
) -> list[Tensor]:
    """Output and gradients of q, k, v and the bias."""
    leaves = [x.to(device).detach().requires_grad_() for x in (*tensors, *([] if bias is None else [bias]))]
    q, k, v, *rest = leaves
    out = attend(q, k, v, field, rest[0] if rest else None, backend=backend)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    loss = (out.double() * direction.to(out.device)).sum()
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [out, *(torch.zeros_like(x) if g is None else g for x, g in zip(leaves, gradients, strict=True))]


def worst(got: list[Tensor], wanted: list[Tensor], difference: Callable[[Tensor, Tensor], float]) -> float:
    return max(
        difference(one, other) if other.any() else float(one.detach().double().abs().max())
        for one, other in zip(got, wanted, strict=True)
    )
