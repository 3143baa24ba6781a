"""Attention rollout: how much of the output comes from each patch through the attention of all layers.

>>> import timm, torch
>>> attention_rollout(timm.create_model("field_vit", depth=2), torch.randn(2, 3, 32, 32)).shape
torch.Size([2, 8, 8])
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from vision.convert import AttentionLayer
from vision.convert.modules import named_modules
from vision.inspection.attention_maps import recurrences, watch_attention
from vision.inspection.attention_watcher import OVER_CHANNELS, AttentionCall
from vision.inspection.stated_grids import StatedGrids, stated_grids
from vision.patches import Grid
from vision.text import first_few

NAMED = 3  # layers in a message
_PARALLEL = ("ParallelThingsBlock",)  # timm's block with several attentions side by side
_MIXING = (nn.Conv1d, nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d)


class RolloutLayer(NamedTuple):
    """The weights of one layer, averaged over its heads; rows sum to 1.

    Attributes:
        name: of the module.
        queries: number of output tokens.
        keys: number of input tokens.
        back: (B, queries) -> (B, keys), from shares of the queries to shares of the keys: r to r @ weights.
        grid: of the input tokens, where the layer knows it.
        converted: whether it is a layer of a converted CNN, which may be a shortcut or a gate.
    """

    name: str
    queries: int
    keys: int
    back: Callable[[Tensor], Tensor]
    grid: Grid | None = None
    converted: bool = False


def attention_rollout(model: nn.Module, images: Tensor) -> Tensor:
    """images (B, C, H, W) -> (B, rows, cols): how much of the output comes from each patch, summing to 1.

    Attention rollout (Abnar and Zuidema, 2020) averages the weights of each layer over its heads and adds the
    identity for the residual. It normalizes the rows, and multiplies all layers.

    - A layer with different numbers of queries and keys, such as a strided convolution or a pool, is
      multiplied without an identity.
    - In a converted CNN, layers whose keys are not the current tokens, such as a shortcut, are left out. So
      are means over all tokens that other layers follow, such as squeeze-and-excite, and convolutions of
      positions.
    - Convolutions and pools that follow or accompany attention mix tokens without weights; they are left out.
    - The output reads the class token if there is one and the head uses it, otherwise the mean over patches.

    What is left out is listed in a warning.

    A convolution has weight 1 on one key whatever the image is. For a converted CNN, rollout therefore shows
    the geometry, and depends on the image only through max pools.

    Args:
        model: any model whose attention `attention_maps` finds: ViTs of this suite, timm and torchvision, and
            converted CNNs, whose patches are the pixels.
        images: of the size that the model expects.

    Raises:
        ValueError: no attention is found, or some of it has no weights between all tokens. That holds for
            recurrences, windows folded into the batch (Swin), attention over channels (XCiT) and attention
            over pooled keys (PVT, MViT). Or the model does not state the grid of its tokens.
    """
    if any(type(module).__name__ in _PARALLEL for module in model.modules()):
        raise ValueError("rollout needs one layer of attention after the other; this model has parallel ones")
    if recurrent := recurrences(model):
        raise ValueError(
            f"a recurrence mixes tokens without weights in {recurrent[0]}; rollout needs those of every layer"
        )
    found, mixing = _layers(model, images)
    layers, left_out = _chain(found)
    if left_out := [*left_out, *mixing]:
        listed = first_few(left_out, NAMED)
        warnings.warn(f"the rollout leaves out {len(left_out)} layers: {listed}", stacklevel=2)
    grids, inputs = stated_grids(model, (images.shape[-2], images.shape[-1])), layers[0].keys
    known = layers[0].grid
    patches = (known, 0) if known else grids.patches(inputs)
    if patches is None:
        raise ValueError(grids.why_none(str(inputs)))
    grid, before = patches
    share = _read_by_the_head(model, layers[-1].queries, grids).expand(len(images), -1).to(images.device)
    for layer in reversed(layers):
        share = 0.5 * (share + layer.back(share)) if layer.queries == layer.keys else layer.back(share)
    share = share[:, before:]
    return (share / share.sum(1, keepdim=True)).view(-1, grid.rows, grid.cols)


def _read_by_the_head(model: nn.Module, outputs: int, grids: StatedGrids) -> Tensor:
    """Return (1, outputs): the share of each token of the last layer in what the head reads."""
    share = torch.full((1, outputs), 1 / outputs, dtype=torch.float64)
    patches = grids.patches(outputs)
    if patches is None or not patches[1]:
        return share
    pool = getattr(model, "global_pool", None)
    if isinstance(pool, str) and pool.startswith(("avg", "max")):
        share[:, : patches[1]] = 0
        return share / share.sum()
    read = 2 if hasattr(model, "head_dist") else 1  # DeiT's distilled models average two heads
    return torch.where(torch.arange(outputs) < read, 1 / read, 0.0).to(share.dtype)[None]


def _layers(model: nn.Module, images: Tensor) -> tuple[list[RolloutLayer], list[str]]:
    """Return the layers in order, and the names of what else mixes tokens.

    Raises:
        ValueError: a part of the attention has no weights between the tokens of the whole image.
    """
    layers: list[RolloutLayer] = []
    mixing: list[str] = []

    def keep(call: AttentionCall) -> None:
        if call.over_channels:
            raise ValueError(
                f"rollout needs the weights of every layer, which {call.name} does not show: {OVER_CHANNELS}"
            )
        if isinstance(call.module, AttentionLayer) and len(call.input) < len(images):
            mixing.append(call.name)  # its input is not of the images, as that of XCiT's positions
            return
        layers.append(_rollout_layer(call, len(images)))

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            if layers and name not in mixing and output.shape[2:].numel() > 1:
                mixing.append(name)

        return hook

    mixers = [(name, module) for name, module in named_modules(model).items() if _mixes(module)]
    handles = [module.register_forward_hook(note(name)) for name, module in mixers]
    try:
        hidden = watch_attention(model, images, keep)
    finally:
        for handle in handles:
            handle.remove()
    if hidden:
        name, reason = next(iter(hidden.items()))
        raise ValueError(f"rollout needs the weights of every layer, which {name} does not show: {reason}")
    if not layers:
        raise ValueError(f"{type(model).__name__} has no attention over whole images; convert a CNN first")
    return layers, mixing


def _mixes(module: nn.Module) -> bool:
    size: Any = module.kernel_size if isinstance(module, _MIXING) else 1
    return any(side > 1 for side in cast("Iterable[int]", size if isinstance(size, Iterable) else (size,)))


def _chain(layers: Sequence[RolloutLayer]) -> tuple[list[RolloutLayer], list[str]]:
    """Return the layers that read the output of those before them, in order, and the names of the others.

    Raises:
        ValueError: a layer of attention is not one of them.
    """
    last = max((index for index, layer in enumerate(layers) if layer.queries > 1), default=0)
    chain: list[RolloutLayer] = []
    left_out: list[str] = []
    for index, layer in enumerate(layers):
        on_path = layer.queries > 1 or index > last
        if on_path and (not chain or layer.keys == chain[-1].queries):
            chain.append(layer)
        elif layer.converted:
            left_out.append(layer.name)
        else:
            tokens = f"{chain[-1].queries} tokens of {chain[-1].name}" if chain else "tokens of the image"
            raise ValueError(
                f"rollout needs layers that attend to all tokens of the one before; {layer.name} has "
                f"{layer.keys} keys, which are not the {tokens}"
            )
    return chain, left_out


def _rollout_layer(call: AttentionCall, batch: int) -> RolloutLayer:
    """Return the weights of a layer.

    Raises:
        ValueError: its windows or heads are folded into the batch.
    """
    is_window = isinstance(call.module, AttentionLayer)
    weights = None if is_window else call.magnitudes()
    if len(call.input if weights is None else weights) != batch:
        parts = "heads" if weights is None else "windows"
        raise ValueError(
            f"{parts} are folded into the batch in {call.name}; rollout needs attention over whole images"
        )
    if weights is None:
        return _of_window(call.name, cast("AttentionLayer", call.module), call.input)
    mean = _rows_to_one(weights.double().mean(1))

    def back(share: Tensor) -> Tensor:
        return (share[:, None] @ mean)[:, 0]

    return RolloutLayer(call.name, mean.shape[1], mean.shape[2], back)


def _of_window(name: str, layer: AttentionLayer, x: Tensor) -> RolloutLayer:
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

    grid = Grid(*x.shape[2:]) if x.ndim == 4 else None
    return RolloutLayer(name, slots.shape[2], tokens, back, grid, converted=True)


def _rows_to_one(weights: Tensor) -> Tensor:
    """(..., N) -> (..., N): rows that sum to 1, or to 0 where all weights are 0."""
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
