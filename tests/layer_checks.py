"""Single layers against what they become: outputs, in each way to compute them."""

from typing import Any

import torch
from torch import Tensor, nn

from vision.convert import as_attention
from vision.convert.layers.positional_heads import _column_space, positional_heads

EXACT = 1e-11


def rank(weight: Tensor, tolerance: float | None = None) -> int:
    return _column_space(weight, tolerance)[0].shape[1]


def heads_needed(weight: Tensor) -> int:
    return len(positional_heads(weight)[0])


def converted(module: nn.Module, shape: tuple[int, ...], **options: Any) -> tuple[Any, Any, Tensor]:
    """The layer that `module` becomes on images (C, *size), the module in float64, and two images."""
    torch.manual_seed(0)
    module = module.double().eval()
    layer = as_attention(module, shape, strict=True, **options)
    return layer, module, torch.randn(2, *shape, dtype=torch.float64)


def assert_equal_all_ways(module: nn.Module, shape: tuple[int, ...], **options: Any) -> Any:
    layer, module, x = converted(module, shape, **options)
    wanted = module(x)
    assert layer.output_size == tuple(wanted.shape[2:])
    for explicit in (False, True):
        layer.explicit = explicit
        torch.testing.assert_close(layer(x), wanted, rtol=0, atol=EXACT)
    torch.testing.assert_close(layer.to_conv()(x), wanted, rtol=0, atol=EXACT)
    return layer


def low_rank(conv: Any, r: int) -> Any:
    """The convolution with a random kernel of rank r, unfolded to positions x channels."""
    generator = torch.Generator().manual_seed(r)
    outer, positions = conv.weight[..., 0, 0].numel(), conv.weight[0, 0].numel()
    one, other = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((outer, r), (r, positions))
    )
    conv.double().weight.data = (one @ other).reshape(conv.weight.shape)
    return conv
