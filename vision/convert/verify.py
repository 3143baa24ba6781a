"""How far a converted model is from the original: layer by layer on the same input, and in its output.

>>> from vision.convert import as_attention
>>> model, images = nn.Conv2d(3, 8, 3).eval(), torch.randn(2, 3, 8, 8)
>>> logits_difference(model, as_attention(model, 8), images).relative < 1e-5
True
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from vision.convert.layers import attention_layers, set_explicit_attention
from vision.convert.modules import named_modules
from vision.convert.summary import Converted
from vision.convert.tracing import BATCH, FunctionCall, has_call_rule
from vision.dynamic import Arguments
from vision.models.modes import evaluating


class Difference(NamedTuple):
    """The largest absolute difference, and the same relative to the original's largest absolute value.

    The relative one is NaN if both outputs are 0 everywhere, for example after a batch norm with a scale of
    0. Such a comparison shows nothing.
    """

    absolute: float
    relative: float


LayerCallback = Callable[[str, Difference], None]


def layer_differences(
    model: nn.Module,
    converted: nn.Module,
    images: Tensor,
    *,
    explicit: bool = True,
    on_layer: LayerCallback | None = None,
) -> dict[str, Difference]:
    """Return for each attention layer, by name, how far it is from the original.

    Both get the input of the original, so that differences do not add up over the layers. A convolution into
    which a batch norm was folded is compared after that norm. A layer for a call of one of torch's functions
    is compared with that call. A shared layer has the largest difference of its runs. Layers that do not run
    are missing.

    Args:
        model: the original.
        converted: the result of `as_attention`.
        images: (B, C, *size). The attention layers process them one by one, which bounds their memory.
        explicit: compare the layers with weights, else as torch's own operations. Modes are restored.
        on_layer: called with name and difference after each layer.
    """
    comparison = _Comparison(model, converted, on_layer)
    with _measuring(model, converted, explicit), comparison.hooks_on(model), comparison:
        model(images)
    return comparison.differences


def logits_difference(
    model: nn.Module, converted: nn.Module, images: Tensor, *, explicit: bool = True
) -> Difference:
    """Return how far the outputs of the two models are apart, in evaluation mode.

    If there are several outputs, the first tensor is compared.

    Args:
        model: the original.
        converted: the result of `as_attention`.
        images: (B, C, *size), processed one by one.
        explicit: attention with weights, else torch's own operations. Modes are restored.
    """
    with _measuring(model, converted, explicit):
        return _difference(logits(model, images), logits(converted, images))


def logits(model: nn.Module, images: Tensor) -> Tensor:
    """Return the first tensor of a model's output on images (B, C, *size), computed image by image."""
    return torch.cat([_first_tensor(model(image)) for image in _singles(images)])


class _Comparison(TorchFunctionMode):
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
    ) -> Any:
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
        difference = _difference(theirs, ours)
        self.differences[name] = max(difference, self.differences.get(name, difference))
        if self._on_layer is not None:
            self._on_layer(name, self.differences[name])


@contextmanager
def _measuring(model: nn.Module, converted: nn.Module, explicit: bool) -> Generator[None]:
    """Put both in evaluation mode and the attention layers in `explicit`, then restore both."""
    modes = [(layer, layer.explicit) for _, layer in attention_layers(converted)]
    set_explicit_attention(converted, explicit)
    try:
        with evaluating(model, converted), torch.no_grad():
            yield
    finally:
        for layer, before in modes:
            layer.explicit = before


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
    return torch.cat([layer(image, *others) for image in _singles(x)])


def _singles(x: Tensor) -> list[Tensor]:
    """(B, ...) -> B tensors (1, ...)."""
    return [x[i : i + 1] for i in range(len(x))]


def _difference(theirs: Tensor, ours: Tensor) -> Difference:
    if theirs.shape != ours.shape:
        raise ValueError(f"outputs of different shapes cannot be compared: {theirs.shape}, {ours.shape}")
    if not theirs.numel():
        return Difference(0.0, math.nan)
    largest = float(theirs.abs().max())
    absolute = float((theirs - ours).abs().max())
    return Difference(absolute, absolute / largest if largest else math.inf if absolute else math.nan)


def _first_tensor(output: object) -> Tensor:
    return next(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor))
