"""Whom the attention of a model looks at: the weights of every attention module, without touching its code.

>>> maps = attention_maps(timm.create_model("vit_tiny_patch16_224", img_size=64), images)
>>> maps["blocks.0.attn"].shape
torch.Size([8, 3, 17, 17])
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from vision.convert import AttentionLayer
from vision.models.modes import evaluating

LARGEST_MAP = 2**27  # numbers in one layer's map


@dataclass(frozen=True)
class Attending:
    """One attention module at work.

    Attributes:
        name: the module's name; its second use in one forward pass is name:2, and so on.
        module: the module.
        x: its input where it offers `attention_map` itself, else None.
        weights: () -> (B, num_heads, N_query, N_key), computed when called, which is in `see` or never.
    """

    name: str
    module: nn.Module
    x: Tensor | None
    weights: Callable[[], Tensor]


def attention_maps(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """images (B, C, H, W) -> (B, num_heads, N_query, N_key) of each attention module, in order of execution.

    Seen are modules that offer `attention_map` (this suite's, and the layers of a converted CNN),
    nn.MultiheadAttention, and whatever calls F.scaled_dot_product_attention; modules of timm that could call
    it but do not are made to for the time. Attention written out otherwise, and other networks' linear
    attention, stays unseen. Windows folded into the batch, as Swin's, come as they are: (B * windows, ...).

    Returns:
        The maps by module name. A converted layer whose map would hold more than 2^27 numbers is left out
        with a warning; its `neighbour_weights` say the same in little space.
    """
    maps: dict[str, Tensor] = {}

    def keep(seen: Attending) -> None:
        if isinstance(seen.module, AttentionLayer) and seen.x is not None:
            layer = seen.module
            numbers = seen.x.shape[0] * layer.num_heads * layer.field.queries.size * layer.field.keys.size
            if numbers > LARGEST_MAP:
                warnings.warn(f"{seen.name} is left out: its map has {numbers:.1e} numbers", stacklevel=2)
                return
        maps[seen.name] = seen.weights()

    watch_attention(model, images, keep)
    return maps


def watch_attention(model: nn.Module, images: Tensor, see: Callable[[Attending], None]) -> None:
    """Run the model once in eval mode without gradients, and show each attention module at work to `see`.

    The model is left as it was found, also after an error.
    """
    watcher = _Watcher(see)
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(torch.no_grad())
        for name, module in model.named_modules():
            stack.enter_context(_fused(module))
            for handle in watcher.handles(name, module):
                stack.callback(handle.remove)
        with watcher:
            model(images)


def recurrences(model: nn.Module) -> list[str]:
    """() -> names of the layers that mix tokens and have no weights to be seen: LSTMs, GRUs and RNNs."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.RNNBase)]


class _Watcher(TorchFunctionMode):
    """Knows from hooks which module is running, and sees its calls of scaled_dot_product_attention."""

    def __init__(self, see: Callable[[Attending], None]) -> None:
        super().__init__()
        self.see, self.running, self.uses = see, [], Counter()
        self.asked: list[dict[str, Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is scaled_dot_product_attention and not any(_own(module) for _, module in self.running):
            name, module = self.running[-1]
            self._show(name, module, None, lambda: _weights_of(func, *args, **kwargs))
        return func(*args, **kwargs)

    def handles(self, name: str, module: nn.Module) -> Iterator[Any]:
        """The hooks that this module needs, by their handles."""
        yield module.register_forward_pre_hook(lambda *_: self.running.append((name, module)))
        if isinstance(module, nn.MultiheadAttention):
            yield module.register_forward_pre_hook(self._ask, with_kwargs=True)
            yield module.register_forward_hook(lambda *seen: self._answer(name, *seen))
        elif _own(module):
            yield module.register_forward_pre_hook(lambda _, inputs: self._own(name, module, inputs[0]))
        yield module.register_forward_hook(lambda *_: self._leave())

    def _leave(self) -> None:
        self.running.pop()

    def _own(self, name: str, module: Any, x: Tensor) -> None:
        if getattr(module, "channels_last", False):  # (B, N, C) -> (B, C, N)
            x = x.transpose(1, 2)
        self._show(name, module, x, lambda: module.attention_map(x))

    def _ask(self, module: nn.MultiheadAttention, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        bound = signature(module.forward).bind(*args, **kwargs)
        bound.apply_defaults()
        self.asked.append(dict(bound.arguments))
        return (), {**bound.arguments, "need_weights": True, "average_attn_weights": False}

    def _answer(self, name: str, module: nn.Module, _: Any, output: tuple) -> tuple[Tensor, Tensor | None]:
        out, weights = output
        asked = self.asked.pop()
        # Without a batch, the weights are (num_heads, N_query, N_key).
        self._show(name, module, None, lambda: weights.reshape(-1, *weights.shape[-3:]))
        if not asked["need_weights"]:
            return out, None
        return out, weights.mean(-3) if asked["average_attn_weights"] else weights

    def _show(self, name: str, module: nn.Module, x: Tensor | None, weights: Callable[[], Tensor]) -> None:
        self.uses[name] += 1
        use = "" if self.uses[name] == 1 else f":{self.uses[name]}"
        self.see(Attending(name + use, module, x, weights))


def _own(module: nn.Module) -> bool:
    return callable(getattr(module, "attention_map", None))


def _weights_of(
    attention: Any, query: Tensor, key: Tensor, value: Tensor, *rest: Any, **options: Any
) -> Tensor:
    """Attention's weights are its output where the values are unit vectors: mask, scale and all included."""
    count = key.shape[-2]
    units = torch.eye(count, dtype=value.dtype, device=value.device).expand(*value.shape[:-2], count, count)
    weights = attention(query, key, units, *rest, **options)
    return weights.flatten(0, -4) if weights.ndim > 3 else weights.reshape(-1, 1, *weights.shape[-2:])


@contextmanager
def _fused(module: Any) -> Iterator[None]:
    """timm's attention through scaled_dot_product_attention for the time."""
    before = getattr(module, "fused_attn", None)
    if before is not False:
        yield
        return
    module.fused_attn = True
    try:
        yield
    finally:
        module.fused_attn = before
