"""What least squares needs of an attention layer: sums over images of products of its inputs and outputs.

With T_h = O_h V_h, position-only heads are linear in their weights: y_q = b + sum_h sum_k a_h[q, k] T_h x_k.
So the normal equations of every kernel size are sums of the same products of T_h x_k and y_q.

>>> from vision.convert.head_maps import head_maps
>>> from vision.mixers import SelfAttention
>>> from vision.patches import Grid
>>> attention, x = SelfAttention(8, Grid(2, 2), num_heads=2), torch.randn(3, 4, 8)
>>> products = LayerProducts(head_maps(attention))
>>> products.add(x, attention(x).detach())
>>> products.gram.shape
torch.Size([2, 4, 2, 4])
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vision.convert.head_maps import HeadMaps
from vision.convert.input_shape import does_not_run
from vision.convert.layers.tokens import tokens_of
from vision.models.modes import evaluating


class LayerProducts:
    """Sums over images of one layer, in float64.

    Attributes:
        maps: the linear maps of its heads.
        gram: (H, M, H, M), of (T_h x_k) . (T_h' x_k') for M tokens.
        cross: (H, M, M), of (T_h x_k) . y_q.
        inputs: (H, M, C_out), of T_h x_k.
        outputs: (M, C_out), of y_q.
        squares: (M,), of |y_q|^2.
        images: how many.
    """

    gram: Tensor
    cross: Tensor
    inputs: Tensor
    outputs: Tensor
    squares: Tensor

    def __init__(self, maps: HeadMaps) -> None:
        self.maps, self.images, self._composed = maps, 0, maps.composed()

    @torch.no_grad()
    def add(self, x: Tensor, y: Tensor) -> None:
        """Add a minibatch of inputs (B, M, C) and outputs (B, M, C_out)."""
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
        }
        for name, value in sums.items():
            setattr(self, name, value.cpu() + (getattr(self, name) if self.images else 0.0))
        self.images += len(x)


def inputs_outputs(
    model: nn.Module, name: str, images: Tensor, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield input and output of a module for each minibatch of images (B, C, H, W), in evaluation mode.

    The rest of the model does not run.

    Raises:
        ValueError: the model does not run on images of this size.
    """
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((inputs[0], output))
        raise _Enough

    with evaluating(model), torch.no_grad():
        handle = model.get_submodule(name).register_forward_hook(keep)
        try:
            for start in range(0, len(images), batch_size):
                try:
                    model(images[start : start + batch_size])
                except _Enough:
                    yield seen.pop()
        except Exception as error:
            raise does_not_run(model, images, error) from error
        finally:
            handle.remove()


def as_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) or (B, N, C) -> (B, N, C)."""
    return tokens_of(x) if x.ndim == 4 else x


class _Enough(Exception):
    """The output is known: the rest of the model need not run."""
