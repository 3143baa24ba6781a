"""Runs each attention layer of a converted model on the input that the original's layer gets.

`vision.convert.verify.layer_differences` runs the original with it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from vision.convert.layers import attention_layers
from vision.convert.modules import named_modules
from vision.convert.summary import Converted
from vision.convert.tracing import BATCH, FunctionCall, has_call_rule
from vision.dynamic import Arguments


class Difference(NamedTuple):
    """The largest absolute difference, and the same relative to the original's largest absolute value.

    The relative one is NaN if both outputs are 0 everywhere, for example after a batch norm with a scale of
    0. Such a comparison shows nothing.
    """

    absolute: float
    relative: float


LayerCallback = Callable[[str, Difference], None]


class LayerComparison(TorchFunctionMode):
    """Follows the modules and calls of the original, and runs the corresponding attention layers."""

    def __init__(self, model: nn.Module, converted: nn.Module, on_layer: LayerCallback | None) -> None:
        super().__init__()
        self.differences: dict[str, Difference] = {}
        self._converted, self._on_layer = converted, on_layer
        self._folded = cast(Converted, converted).conversion.folded
        self._replaced: dict[str, str] = {}  # name of the original module -> name of the attention layer
        self._called: dict[str, list[str]] = defaultdict(list)  # -> names of layers for its calls, in order
        self._calls: Counter[str] = Counter()
        self._unnormed: dict[str, tuple[str, Tensor]] = {}  # batch norm -> its convolution and our output
        self._stack: list[str | None] = []
        originals = named_modules(model)
        for name, _ in attention_layers(converted):
            original = _original_name(name, originals)
            rewritten = isinstance(converted.get_submodule(original), type(originals[original]))
            if rewritten:
                self._called[original].append(name)
            else:
                self._replaced[original] = name

    @contextmanager
    def hooks_on(self, model: nn.Module) -> Generator[None]:
        """Put hooks on every module of the original for the block."""
        handles: list[RemovableHandle] = []
        for name, module in named_modules(model).items():
            handles.append(module.register_forward_pre_hook(self._before(name)))
            handles.append(module.register_forward_hook(self._after(name), with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Arguments | None = None,
    ) -> object:
        output = func(*args, **(kwargs or {}))
        module = self._stack[-1] if self._stack else None
        call = FunctionCall(getattr(func, "__name__", ""), args, kwargs or {})
        if module in self._called and _has_layer(call):
            names = self._called[module]
            name = names[self._calls[module] % len(names)]
            self._calls[module] += 1
            self._add(name, output, _one_by_one(self._converted.get_submodule(name), *_tensors(call)))
        return output

    def _before(self, name: str) -> Callable[..., None]:
        return lambda *_: self._stack.append(name)

    def _after(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: Arguments, output: Any) -> None:
            self._stack[-1] = None  # what our layers call is not the original's
            if name in self._unnormed:
                layer, ours = self._unnormed.pop(name)
                self._add(layer, output, self._converted.get_submodule(name)(ours))
            elif name in self._replaced:
                ours = _one_by_one(self._converted.get_submodule(name), *args, *kwargs.values())
                if name in self._folded:
                    self._unnormed[self._folded[name]] = self._replaced[name], ours
                else:
                    self._add(self._replaced[name], output, ours)
            self._stack.pop()

        return hook

    def _add(self, name: str, theirs: Tensor, ours: Tensor) -> None:
        difference = difference_of(theirs, ours)
        self.differences[name] = max(difference, self.differences.get(name, difference))
        if self._on_layer is not None:
            self._on_layer(name, self.differences[name])


def difference_of(theirs: Tensor, ours: Tensor) -> Difference:
    """Return how far two tensors of one shape are apart."""
    if theirs.shape != ours.shape:
        raise ValueError(f"outputs of different shapes cannot be compared: {theirs.shape}, {ours.shape}")
    if not theirs.numel():
        return Difference(0.0, math.nan)
    largest = float(theirs.abs().max())
    absolute = float((theirs - ours).abs().max())
    return Difference(absolute, absolute / largest if largest else math.inf if absolute else math.nan)


def singles(x: Tensor) -> list[Tensor]:
    """(B, ...) -> B tensors (1, ...)."""
    return [x[i : i + 1] for i in range(len(x))]


def _original_name(name: str, modules: dict[str, nn.Module]) -> str:
    """Return the module of the original that a layer replaces, or is part of, as in OnTokens."""
    while name not in modules:
        name = name.rpartition(".")[0]
    return name


def _has_layer(call: FunctionCall) -> bool:
    """Return whether as_attention, which observes BATCH images, has a layer for a call."""
    x = call.args[0] if call.args else call.kwargs.get("input")
    if not isinstance(x, Tensor) or x.ndim == 0:
        return False
    images = x[:1].expand(BATCH, *x.shape[1:])
    return has_call_rule(FunctionCall(call.function, (images, *call.args[1:]), call.kwargs))


def _tensors(call: FunctionCall) -> list[Any]:
    """Return the input of a call, and for a convolution its kernel and bias."""
    names = ("input", "weight", "bias") if call.function.startswith("conv") else ("input",)
    arguments = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    return [arguments.get(name) for name in names]


def _one_by_one(layer: nn.Module, x: Tensor, *others: Any) -> Tensor:
    return torch.cat([layer(image, *others) for image in singles(x)])
