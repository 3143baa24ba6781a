"""Where in the image the attention of all layers, one after another, comes from.

>>> attention_rollout(model, images).shape  # doctest: +SKIP
torch.Size([8, 14, 14])
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vision.convert import AttentionLayer
from vision.inspection.attention_distance import square_patches
from vision.inspection.attention_maps import Attending, recurrences, watch_attention
from vision.text import first_few


class Mixed(NamedTuple):
    """One layer's weights, averaged over its heads, rows summing to 1 and ready to be applied.

    Attributes:
        queries: number of tokens that the layer gives.
        keys: number of tokens that it reads.
        back: (B, queries) -> (B, keys), shares of the queries to shares of the keys: r to r @ weights.
    """

    queries: int
    keys: int
    back: Callable[[Tensor], Tensor]


def attention_rollout(model: nn.Module, images: Tensor) -> Tensor:
    """images (B, C, H, W) -> (B, rows, cols): how much of the output comes from each patch, summing to 1.

    Attention rollout (Abnar and Zuidema, 2020): each layer's weights, averaged over its heads, plus the
    identity of the residual, are made to sum to 1 and multiplied through the depth. A layer that has another
    number of queries than of keys, as a strided convolution or a pool, is multiplied without an identity.
    Passed over are layers whose keys are not the tokens at hand, as a shortcut's, and means over all tokens
    that others follow, as squeeze-and-excite's. The output reads the class token where there is one, else
    the mean over tokens.

    A convolution has weight 1 on one key whatever it reads: of a converted CNN this shows the geometry, and
    the image's own part in its maximum pools alone.

    Args:
        model: any whose attention `attention_maps` sees: ViTs of this suite, timm's and torchvision's, and
            converted CNNs, whose patches are the pixels.
        images: at the size of the model.

    Raises:
        ValueError: no attention is seen, a recurrence mixes tokens too, windows are folded into the batch
            as Swin's, or the tokens are no square patches of the image.
    """
    if recurrent := recurrences(model):
        raise ValueError(
            f"no rollout where a recurrence mixes tokens without weights, as {recurrent[0]} does"
        )
    seen: list[Mixed] = []
    folded: list[str] = []

    def keep(layer: Attending) -> None:
        mixed = _mixed(layer, len(images))
        if mixed is None:
            folded.append(layer.name)
        else:
            seen.append(mixed)

    watch_attention(model, images, keep)
    if folded:
        raise ValueError(f"no rollout where windows are folded into the batch, as in {first_few(folded, 1)}")
    layers = _chain(seen)
    if not layers:
        raise ValueError(f"{type(model).__name__} shows no attention over whole images; convert a CNN first")
    prefix, inputs, outputs = getattr(model, "num_prefix_tokens", 0), layers[0].keys, layers[-1].queries
    patches = square_patches(inputs, (images.shape[-2], images.shape[-1]), prefix)
    if patches is None:
        raise ValueError(f"{inputs} tokens are no square patches of images {tuple(images.shape)}")
    grid, before = patches
    share = torch.full((len(images), outputs), 1 / outputs, dtype=torch.float64, device=images.device)
    if before and outputs == inputs:
        share = torch.eye(outputs, dtype=share.dtype, device=share.device)[:1].expand(len(images), -1)
    for layer in reversed(layers):
        share = 0.5 * (share + layer.back(share)) if layer.queries == layer.keys else layer.back(share)
    share = share[:, before:]
    return (share / share.sum(1, keepdim=True)).unflatten(1, (grid.rows, grid.cols))


def _chain(seen: Sequence[Mixed]) -> list[Mixed]:
    """() -> the layers that read what the ones before them give, in order."""
    last = max((place for place, layer in enumerate(seen) if layer.queries > 1), default=0)
    chain: list[Mixed] = []
    for place, layer in enumerate(seen):
        to_be_followed = layer.queries > 1 or place > last
        if to_be_followed and (not chain or layer.keys == chain[-1].queries):
            chain.append(layer)
    return chain


def _mixed(seen: Attending, batch: int) -> Mixed | None:
    """() -> the layer's weights; None where its windows are folded into the batch."""
    if isinstance(seen.module, AttentionLayer) and seen.x is not None:
        return _of_window(seen.module, seen.x)
    weights = seen.weights()
    if len(weights) != batch:
        return None
    mean = _rows_to_one(weights.double().mean(1))
    return Mixed(mean.shape[1], mean.shape[2], lambda share: (share[:, None] @ mean)[:, 0])


def _of_window(layer: AttentionLayer, x: Tensor) -> Mixed:
    """The weights of a window's slots; a map over all tokens would not fit into memory."""
    weights, index = layer.neighbour_weights(x)
    tokens = x[0, 0].numel()
    inside = weights.double().masked_fill(index < 0, 0.0).expand(len(x), -1, -1, -1)
    # (B, H, N_query, K): each query's slots in all heads sum to 1.
    slots = inside / inside.sum((1, 3), keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    keys = index.clamp(min=0).flatten().expand(len(x), -1)

    def back(share: Tensor) -> Tensor:
        moved = (slots * share[:, None, :, None]).flatten(1)
        return share.new_zeros(len(x), tokens).scatter_add(1, keys, moved)

    return Mixed(slots.shape[2], tokens, back)


def _rows_to_one(weights: Tensor) -> Tensor:
    """(..., N) -> (..., N): rows that sum to 1, but for those of 0."""
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
