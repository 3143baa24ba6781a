"""Inputs of attention, and comparisons of its backends, shared by tests on a CPU."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vision.attention import attend
from vision.fields import Field

QKV = tuple[Tensor, Tensor, Tensor]


def qkv(
    field: Field,
    *,
    heads: int = 2,
    dim: int = 5,
    value_dim: int = 3,
    batch: int = 2,
    dtype: torch.dtype = torch.float64,
) -> QKV:
    """Return random q, k and v for a field, in the memory layout that a linear map of tokens leaves."""
    generator = torch.Generator().manual_seed(0)
    shapes = (field.queries.size, dim), (field.keys.size, dim), (field.keys.size, value_dim)
    draws = [torch.randn(batch, n, heads, d, generator=generator, dtype=dtype) for n, d in shapes]
    q, k, v = (x.transpose(1, 2).requires_grad_() for x in draws)
    return q, k, v


def with_gradients(
    inputs: QKV, field: Field, bias: Tensor | None = None, *, backend: str = "auto"
) -> tuple[Tensor, ...]:
    """Return the output of `attend` and its gradients with respect to q, k, v and the bias."""
    out = attend(*inputs, field, bias, backend=backend)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    wanted = [*inputs] if bias is None else [*inputs, bias]
    return out, *torch.autograd.grad((out * direction.to(out.dtype)).sum(), wanted, allow_unused=True)


def assert_same(got: Sequence[Tensor], wanted: Sequence[Tensor | None], tolerance: float = 1e-12) -> None:
    """Assert that tensors are finite and equal; a missing gradient counts as 0."""
    for one, other in zip(got, wanted, strict=True):
        other = torch.zeros_like(one) if other is None else other
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)


def bias_for(field: Field, form: str, heads: int = 2) -> Tensor | None:
    """Return a bias of a form: none, per_offset or dense (1, H, N_query, N_key)."""
    if form == "none":
        return None
    if form == "per_offset":
        return bias_per_offset(field, heads)
    return _random(1, heads, field.queries.size, field.keys.size)


def bias_per_offset(field: Field, heads: int = 2) -> Tensor:
    """Return a random bias (H, K)."""
    return _random(heads, field.columns)


def _random(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
