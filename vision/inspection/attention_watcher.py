"""Which attention modules run in a forward pass, and the weights that each of them computes.

`vision.inspection.attention_maps.watch_attention` runs a model with it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from inspect import signature
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from vision.convert import AttentionLayer, HeadConvolution
from vision.dynamic import Arguments

OVER_CHANNELS = "it attends over channels, not over tokens"
HIDDEN = "it computes attention in its own way, which shows no weights between tokens"
# Names of classes of attention; those that never compute weights in a way known here are `HIDDEN`.
_ATTENTION = re.compile(r"Att(entio)?n|XCA|GPSA|MHSA|MLA")
_CHANNELS = re.compile(r"Channel|XCA|CrossCov")


@dataclass(frozen=True)
class AttentionCall:
    """One use of an attention module during a forward pass.

    Attributes:
        name: the module's name; its second use in one forward pass is name:2, and so on.
        module: the module.
        x: its input if it has a method `attention_map`, otherwise None.
        weights: computes (B, num_heads, N_query, N_key). It may only be called during the forward pass.
        over_channels: whether the weights are between channels, as in DaViT's ChannelAttentionV2.
        attn_mask: the mask that scaled_dot_product_attention was called with, if any.
    """

    name: str
    module: nn.Module
    x: Tensor | None
    weights: Callable[[], Tensor]
    over_channels: bool = False
    attn_mask: Tensor | None = None

    def magnitudes(self) -> Tensor:
        """Return how much a query reads from each key: the weights, without the sign of a nearest CNN's."""
        weights = self.weights()
        return weights.abs() if isinstance(self.module, HeadConvolution) else weights

    @property
    def input(self) -> Tensor:
        """The input of a module with a method `attention_map`."""
        if self.x is None:
            raise TypeError(f"{type(self.module).__name__} has no attention_map, so its input is not kept")
        return self.x


class AttentionWatcher(TorchFunctionMode):
    """Knows from hooks which module is running, and intercepts its calls of scaled_dot_product_attention.

    It watches the modules whose `handles` were added, while it is entered as a context.

    Args:
        on_call: called for each use of attention.

    Attributes:
        hidden: the modules whose class is called attention, but which show no weights, by name, with the
            reason.
    """

    def __init__(self, on_call: Callable[[AttentionCall], None]) -> None:
        super().__init__()
        self.on_call, self.uses = on_call, Counter[str]()
        self.running: list[tuple[str, nn.Module]] = []
        self.inputs: list[tuple[int, ...]] = []  # the shapes of the inputs of those that run
        self.shown = set[str]()  # names of modules in which attention was reported
        self.hidden: dict[str, str] = {}
        self.requests: list[Arguments] = []  # arguments of nn.MultiheadAttention

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Arguments | None = None,
    ) -> object:
        options = kwargs or {}
        if func is scaled_dot_product_attention and not any(_has_map(module) for _, module in self.running):
            name, module = self.running[-1]
            query: Tensor = args[0] if args else options["query"]
            channels = _over_channels(query, self.inputs[-1], module)
            mask = options.get("attn_mask", args[3] if len(args) > 3 else None)
            self._report(name, module, None, lambda: _weights_of(func, *args, **options), channels, mask)
        return func(*args, **options)

    def handles(self, name: str, module: nn.Module) -> Iterator[RemovableHandle]:
        """Add the hooks that this module needs, and yield their handles."""
        yield module.register_forward_pre_hook(self._enter(name))
        if isinstance(module, nn.MultiheadAttention):
            yield module.register_forward_pre_hook(self._request_weights, with_kwargs=True)
            yield module.register_forward_hook(self._return_as_requested(name))
        elif _has_map(module):
            yield module.register_forward_pre_hook(self._report_own_map(name))
        yield module.register_forward_hook(self._leave)

    def _enter(self, name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        def hook(module: nn.Module, args: tuple[object, ...]) -> None:
            self.running.append((name, module))
            self.inputs.append(tuple(args[0].shape) if args and isinstance(args[0], Tensor) else ())

        return hook

    def _leave(self, module: nn.Module, args: object, output: object) -> None:
        name, _ = self.running.pop()
        self.inputs.pop()
        known = name in self.shown or any(_has_map(outer) for _, outer in (*self.running, (name, module)))
        inside = any(one.startswith(f"{name}.") or one == name for one in self.hidden)
        kind = type(module).__name__
        if name and not known and not inside and _ATTENTION.search(kind):
            self.hidden[name] = OVER_CHANNELS if _CHANNELS.search(kind) else HIDDEN

    def _report_own_map(self, name: str) -> Callable[[Any, tuple[Tensor, ...]], None]:
        def hook(module: Any, args: tuple[Tensor, ...]) -> None:
            # (B, N, C) -> (B, C, N)
            x = args[0].transpose(1, 2) if getattr(module, "channels_last", False) else args[0]
            self._report(name, module, x, lambda: module.attention_map(x))

        return hook

    def _request_weights(
        self, module: nn.Module, args: tuple[object, ...], kwargs: Arguments
    ) -> tuple[tuple[()], Arguments]:
        bound = signature(module.forward).bind(*args, **kwargs)
        bound.apply_defaults()
        self.requests.append(dict(bound.arguments))
        return (), {**bound.arguments, "need_weights": True, "average_attn_weights": False}

    def _return_as_requested(
        self, name: str
    ) -> Callable[[nn.Module, object, tuple[Tensor, Tensor]], tuple[Tensor, Tensor | None]]:
        def hook(
            module: nn.Module, args: object, output: tuple[Tensor, Tensor]
        ) -> tuple[Tensor, Tensor | None]:
            out, weights = output
            request = self.requests.pop()
            # Without a batch, the weights are (num_heads, N_query, N_key).
            self._report(name, module, None, lambda: weights.reshape(-1, *weights.shape[-3:]))
            if not request["need_weights"]:
                return out, None
            return out, weights.mean(-3) if request["average_attn_weights"] else weights

        return hook

    def _report(
        self,
        name: str,
        module: nn.Module,
        x: Tensor | None,
        weights: Callable[[], Tensor],
        over_channels: bool = False,
        attn_mask: Tensor | None = None,
    ) -> None:
        # A converted pool of queries or keys, as MViT's, does not show the attention around it.
        is_inside = isinstance(module, AttentionLayer)
        self.shown.update(
            running
            for running, outer in self.running
            if not (is_inside and outer is not module and hasattr(outer, "num_heads"))
        )
        self.uses[name] += 1
        use = "" if self.uses[name] == 1 else f":{self.uses[name]}"
        self.on_call(AttentionCall(name + use, module, x, weights, over_channels, attn_mask))


def _has_map(module: nn.Module) -> bool:
    return callable(getattr(module, "attention_map", None))


def _over_channels(query: Tensor, inputs: tuple[int, ...], module: nn.Module) -> bool:
    """Return whether a query (..., H, L, E) has channels where others have tokens: L * H = C and E = N."""
    if len(inputs) not in (3, 4) or query.ndim < 3:
        return False
    # (B, N, C) or (B, rows, cols, C), and (B, C, rows, cols): the tokens and the channels
    layouts = {(prod(inputs[1:-1]), inputs[-1])}
    if len(inputs) == 4:
        layouts.add((inputs[2] * inputs[3], inputs[1]))
    heads, (length, width) = query.shape[-3] if query.ndim > 3 else 1, query.shape[-2:]
    crosswise, usual = ((n, heads * c) in layouts for n, c in ((width, length), (length, width)))
    named_so = _CHANNELS.search(type(module).__name__) is not None
    return crosswise and (not usual or named_so)


def _weights_of(
    attention: Callable[..., Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *rest: object,
    **options: object,
) -> Tensor:
    """Return the weights: the output for values that are unit vectors, so mask and scale are included."""
    count = key.shape[-2]
    units = torch.eye(count, dtype=value.dtype, device=value.device).expand(*value.shape[:-2], count, count)
    weights = attention(query, key, units, *rest, **options)
    # (B, H, N_query, N_key); with further axes, such as Hiera's windows, each is an image of its own
    return weights if weights.ndim == 4 else weights.reshape(-1, 1, *weights.shape[-2:])
