"""What least squares needs of an attention layer: sums over images of products of its inputs and outputs.

With T_h = O_h V_h, position-only heads are linear in their weights: y_q = b + sum_h sum_k a_h[q, k] T_h x_k.
So the normal equations of every kernel size are sums of the same products of T_h x_k and y_q.

>>> from vision.mixers import SelfAttention
>>> from vision.patches import Grid
>>> attention, x = SelfAttention(8, Grid(2, 2), num_heads=2), torch.randn(3, 4, 8)
>>> products = LayerProducts(attention, head_maps(attention))
>>> products.add(x, attention(x).detach())
>>> products.gram.shape
torch.Size([2, 4, 2, 4])
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vision.attention.relative_kernel import nearest_kernel, relative_offsets
from vision.convert.head_maps import HeadMaps, head_maps, mean_weights
from vision.convert.modules import named_modules
from vision.models.modes import evaluating
from vision.patches import Grid


class LayerProducts:
    """Sums over images of one layer, in float64.

    Attributes:
        module: the attention layer.
        maps: its heads' linear maps.
        gram: (H, M, H, M), of (T_h x_k) . (T_h' x_k') for M tokens.
        cross: (H, M, M), of (T_h x_k) . y_q.
        inputs: (H, M, C_out), of T_h x_k.
        outputs: (M, C_out), of y_q.
        squares: (M,), of |y_q|^2.
        weights: (H, M, M), of the attention weights.
        images: how many.
    """

    def __init__(self, module: nn.Module, maps: HeadMaps) -> None:
        self.module, self.maps, self.images = module, maps, 0
        self._kernel: Tensor | None = None
        self._composed = maps.composed()

    @torch.no_grad()
    def add(self, x: Tensor, y: Tensor) -> None:
        """Add a minibatch of inputs (B, M, C) and outputs (B, M, C_out)."""
        weights = mean_weights(self.module, x) * len(x)
        x, y = x.double(), y.double()
        mapped = torch.einsum("hoc,bmc->hmbo", self._composed, x)
        flat, target = mapped.flatten(2).flatten(0, 1), y.transpose(0, 1).flatten(1)  # (H M, B C), (M, B C)
        heads, tokens = mapped.shape[:2]
        sums = {
            "gram": (flat @ flat.T).view(heads, tokens, heads, tokens),
            "cross": (flat @ target.T).view(heads, tokens, -1),
            "inputs": mapped.sum(2),
            "outputs": y.sum(0),
            "squares": y.square().sum((0, 2)),
            "weights": weights,
        }
        for name, value in sums.items():
            setattr(self, name, value.cpu() + (getattr(self, name) if self.images else 0.0))
        self.images += len(x)

    def nearest_kernel(self, grid: Grid, prefix: int) -> Tensor:
        """Return (H, 2 rows - 1, 2 cols - 1), the kernel nearest to each head's mean weights."""
        if self._kernel is None:
            patches = self.weights[:, prefix:, prefix:]
            patches = patches / patches.sum(-1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
            kernel = nearest_kernel(patches, *relative_offsets(grid))
            self._kernel = kernel.unflatten(1, (2 * grid.rows - 1, -1))
        return self._kernel

    gram: Tensor
    cross: Tensor
    inputs: Tensor
    outputs: Tensor
    squares: Tensor
    weights: Tensor


def collect_products(model: nn.Module, images: Tensor, batch_size: int) -> dict[str, LayerProducts]:
    """Run a model over images (B, C, H, W) and return the products of each layer with linear heads.

    Raises:
        ValueError: the model does not run on images of this size.
    """
    products: dict[str, LayerProducts] = {}
    handles: list[Any] = []
    for name, module in named_modules(model).items():
        if (maps := head_maps(module)) is not None:
            products[name] = LayerProducts(module, maps)
            handles.append(module.register_forward_hook(_adding(products[name])))
    try:
        with evaluating(model), torch.no_grad():
            for batch in images.split(batch_size):
                model(batch)
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} does not run on images {tuple(images.shape[1:])} (C, H, W): "
            f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return {name: each for name, each in products.items() if each.images}


def _adding(products: LayerProducts) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        products.add(inputs[0], output)

    return hook
