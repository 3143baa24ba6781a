"""The weights of every attention module of a model, without a change to its code.

timm.utils.AttentionExtract returns only what timm's unfused attention computes; this also covers this suite's
mixers, converted CNNs, nn.MultiheadAttention and any caller of scaled_dot_product_attention.

>>> import timm, torch
>>> model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=1)
>>> attention_maps(model, torch.randn(8, 3, 64, 64))["blocks.0.attn"].shape
torch.Size([8, 3, 17, 17])
"""

import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vision.convert import AttentionLayer
from vision.convert.modules import named_modules
from vision.inspection.attention_watcher import AttentionCall, AttentionWatcher
from vision.models.modes import evaluating

LARGEST_MAP = 2**27  # numbers in one layer's map


def attention_maps(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """images (B, C, H, W) -> (B, num_heads, N_query, N_key) of each attention module, in order of execution.

    Included are modules with a method `attention_map` (this suite's mixers and the layers of a converted
    CNN), nn.MultiheadAttention, and every module that calls F.scaled_dot_product_attention. Modules of timm
    that could call it, but do not, are made to for the time. Attention computed in another way, such as
    linear attention, is not found. Windows folded into the batch, as in Swin, are returned as they are:
    (B * windows, ...). Attention over channels is left out.

    Returns:
        The maps by module name. A converted layer whose map would hold more than 2^27 numbers is left out
        with a warning; its `neighbour_weights` hold the same in less memory.
    """
    maps: dict[str, Tensor] = {}

    def keep(call: AttentionCall) -> None:
        if call.over_channels:
            return
        if isinstance(call.module, AttentionLayer):
            layer = call.module
            numbers = len(call.input) * layer.num_heads * layer.field.queries.size * layer.field.keys.size
            if numbers > LARGEST_MAP:
                warnings.warn(f"{call.name} is left out: its map has {numbers:.1e} numbers", stacklevel=2)
                return
        maps[call.name] = call.weights()

    watch_attention(model, images, keep)
    return maps


def watch_attention(
    model: nn.Module, images: Tensor, on_call: Callable[[AttentionCall], None]
) -> dict[str, str]:
    """Run the model once in eval mode without gradients, and call `on_call` for each use of attention.

    The model is left as it was found, also after an error.

    Returns:
        The modules whose class is called attention, but which show no weights, by name, with the reason.
    """
    watcher = AttentionWatcher(on_call)
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(torch.no_grad())
        for name, module in named_modules(model).items():
            stack.enter_context(_fused(module))
            for handle in watcher.handles(name, module):
                stack.callback(handle.remove)
        with watcher:
            model(images)
    return watcher.hidden


def recurrences(model: nn.Module) -> list[str]:
    """Return the names of the layers that mix tokens without weights: LSTMs, GRUs and RNNs."""
    return [name for name, module in named_modules(model).items() if isinstance(module, nn.RNNBase)]


@contextmanager
def _fused(module: Any) -> Generator[None]:
    """Let timm's attention call scaled_dot_product_attention for the time."""
    if getattr(module, "fused_attn", None) is not False:
        yield
        return
    module.fused_attn = True
    try:
        yield
    finally:
        module.fused_attn = False
