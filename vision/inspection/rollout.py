"""Attention rollout: how much of the output comes from each patch through the attention of all layers.

>>> import timm, torch
>>> attention_rollout(timm.create_model("field_vit", depth=2), torch.randn(2, 3, 32, 32)).shape
torch.Size([2, 8, 8])
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vision.convert import AttentionLayer
from vision.inspection.attention_distance import token_patches
from vision.inspection.attention_maps import AttentionCall, recurrences, watch_attention
from vision.models import prefix_tokens, token_grid
from vision.text import first_few


class RolloutLayer(NamedTuple):
    """The weights of one layer, averaged over its heads; rows sum to 1.

    Attributes:
        queries: number of output tokens.
        keys: number of input tokens.
        back: (B, queries) -> (B, keys), from shares of the queries to shares of the keys: r to r @ weights.
    """

    queries: int
    keys: int
    back: Callable[[Tensor], Tensor]


def attention_rollout(model: nn.Module, images: Tensor) -> Tensor:
    """images (B, C, H, W) -> (B, rows, cols): how much of the output comes from each patch, summing to 1.

    Attention rollout (Abnar and Zuidema, 2020) averages the weights of each layer over its heads, adds the
    identity for the residual, normalizes the rows, and multiplies all layers.

    - A layer with different numbers of queries and keys, such as a strided convolution or a pool, is
      multiplied without an identity.
    - Layers whose keys are not the current tokens, such as a shortcut, are skipped. So are means over all
      tokens that other layers follow, such as squeeze-and-excite.
    - The output reads the class token if there is one, otherwise the mean over tokens.

    A convolution has weight 1 on one key whatever the image is. For a converted CNN, rollout therefore shows
    the geometry, and depends on the image only through max pools.

    Args:
        model: any model whose attention `attention_maps` finds: ViTs of this suite, timm and torchvision, and
            converted CNNs, whose patches are the pixels.
        images: of the size that the model expects.

    Raises:
        ValueError: no attention is found, a recurrence mixes tokens too, windows are folded into the batch as
            in Swin, or the tokens are not square patches of the image.
    """
    if recurrent := recurrences(model):
        raise ValueError(
            f"a recurrence mixes tokens without weights in {recurrent[0]}; rollout needs those of every layer"
        )
    layers = _chain(_layers(model, images))
    if not layers:
        raise ValueError(f"{type(model).__name__} has no attention over whole images; convert a CNN first")
    prefix, inputs, outputs = prefix_tokens(model), layers[0].keys, layers[-1].queries
    channels, *size = images.shape[1:]
    stated = token_grid(model, (channels, size[0], size[1]))
    patches = token_patches(inputs, (size[0], size[1]), prefix, stated)
    if patches is None:
        raise ValueError(f"{inputs} tokens are not square patches of images {tuple(images.shape)}")
    grid, before = patches
    share = torch.full((len(images), outputs), 1 / outputs, dtype=torch.float64, device=images.device)
    if before and outputs == inputs:  # the class token alone
        share = torch.eye(outputs, dtype=share.dtype, device=share.device)[:1].expand(len(images), -1)
    for layer in reversed(layers):
        share = 0.5 * (share + layer.back(share)) if layer.queries == layer.keys else layer.back(share)
    share = share[:, before:]
    return (share / share.sum(1, keepdim=True)).view(-1, grid.rows, grid.cols)


def _layers(model: nn.Module, images: Tensor) -> list[RolloutLayer]:
    layers: list[RolloutLayer] = []
    folded: list[str] = []

    def keep(call: AttentionCall) -> None:
        layer = _rollout_layer(call, len(images))
        if layer is None:
            folded.append(call.name)
        else:
            layers.append(layer)

    watch_attention(model, images, keep)
    if folded:
        raise ValueError(
            f"windows are folded into the batch in {first_few(folded, 1)}; rollout needs attention over "
            "whole images"
        )
    return layers


def _chain(layers: Sequence[RolloutLayer]) -> list[RolloutLayer]:
    """Return the layers that read the output of those before them, in order."""
    last = max((index for index, layer in enumerate(layers) if layer.queries > 1), default=0)
    chain: list[RolloutLayer] = []
    for index, layer in enumerate(layers):
        on_path = layer.queries > 1 or index > last
        if on_path and (not chain or layer.keys == chain[-1].queries):
            chain.append(layer)
    return chain


def _rollout_layer(call: AttentionCall, batch: int) -> RolloutLayer | None:
    """Return the weights of a layer, or None if its windows are folded into the batch."""
    if isinstance(call.module, AttentionLayer):
        return _of_window(call.module, call.input)
    weights = call.weights()
    if len(weights) != batch:
        return None
    mean = _rows_to_one(weights.double().mean(1))

    def back(share: Tensor) -> Tensor:
        return (share[:, None] @ mean)[:, 0]

    return RolloutLayer(mean.shape[1], mean.shape[2], back)


def _of_window(layer: AttentionLayer, x: Tensor) -> RolloutLayer:
    """Return the weights of the slots of a window; a map over all tokens would not fit into memory."""
    weights, index = layer.neighbour_weights(x)
    tokens = x[0, 0].numel()
    inside = weights.double().masked_fill(index < 0, 0.0).expand(len(x), -1, -1, -1)
    # (B, H, N_query, K): each query's slots in all heads sum to 1.
    slots = inside / inside.sum((1, 3), keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    keys = index.clamp(min=0).flatten().expand(len(x), -1)

    def back(share: Tensor) -> Tensor:
        moved = (slots * share[:, None, :, None]).flatten(1)
        return share.new_zeros(len(x), tokens).scatter_add(1, keys, moved)

    return RolloutLayer(slots.shape[2], tokens, back)


def _rows_to_one(weights: Tensor) -> Tensor:
    """(..., N) -> (..., N): rows that sum to 1, or to 0 where all weights are 0."""
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
