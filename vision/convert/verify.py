"""How far a converted model is from the original: layer by layer on the same input, and at the end.

>>> logits_difference(model, as_attention(model), images).relative < 1e-5  # doctest: +SKIP
True
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from vision.convert.conversion import attention_layers, set_explicit
from vision.convert.tracing.function_rules import convertible
from vision.convert.tracing.observe import BATCH, Call
from vision.models.modes import evaluating


class Difference(NamedTuple):
    """The largest absolute difference, and what share it is of the original's largest absolute value.

    The share is NaN where both give 0 everywhere, as behind a batch norm that starts with a scale of 0: a
    comparison that shows nothing.
    """

    absolute: float
    relative: float


Listener = Callable[[str, Difference], None]


def layer_differences(
    model: nn.Module,
    converted: nn.Module,
    images: Tensor,
    *,
    explicit: bool = True,
    report: Listener | None = None,
) -> dict[str, Difference]:
    """images (B, C, *size) -> by the name of each attention layer, how far it is from what the original does.

    Both get what the original reads at that place, so that nothing adds up over the layers. A convolution
    that took in a batch norm is compared behind that norm; a call of one of torch's functions with that call.
    A shared layer shows the largest difference of its runs; layers that do not run are not there.

    Args:
        model: the original.
        converted: what `as_attention` made of it.
        images: the attention layers take them one by one, which bounds the memory that they need.
        explicit: compare the layers with weights, else as torch's own operations; afterwards, modes are as
            they were.
        report: called with name and difference after each layer.
    """
    comparison = _Comparison(model, converted, report or (lambda name, difference: None))
    with _measuring(model, converted, explicit), comparison.watching(model), comparison:
        model(images)
    return comparison.found


def logits_difference(
    model: nn.Module, converted: nn.Module, images: Tensor, *, explicit: bool = True
) -> Difference:
    """images (B, C, *size) -> how far the outputs of the two models are apart, in evaluation mode.

    Of several outputs the first tensor counts.

    Args:
        model: the original.
        converted: what `as_attention` made of it.
        images: passed through one by one.
        explicit: attention with weights, else torch's own operations; afterwards, modes are as they were.
    """
    with _measuring(model, converted, explicit):
        return _difference(logits(model, images), logits(converted, images))


def logits(model: nn.Module, images: Tensor) -> Tensor:
    """images (B, C, *size) -> the first tensor of the model's output, computed image by image."""
    return torch.cat([_first_tensor(model(image)) for image in images.split(1)])


class _Comparison(TorchFunctionMode):
    """Hears of each module and call of the original, and runs the attention layer in its place at once."""

    def __init__(self, model: nn.Module, converted: nn.Module, report: Listener) -> None:
        super().__init__()
        self.found: dict[str, Difference] = {}
        self._converted, self._report = converted, report
        self._folded: dict[str, str] = converted.conversion.folded  # type: ignore[union-attr]
        self._replaced: dict[str, str] = {}  # name of the original module -> of the attention layer
        self._called: dict[str, list[str]] = defaultdict(list)  # -> of those in place of its calls, in order
        self._calls: Counter[str] = Counter()
        self._unnormed: dict[str, tuple[str, Tensor]] = {}  # batch norm -> its convolution and our output
        self._stack: list[str | None] = []
        originals = dict(model.named_modules())
        for name, _ in attention_layers(converted):
            place = _longest(name, originals)
            rewritten = isinstance(converted.get_submodule(place), type(originals[place]))
            if rewritten:
                self._called[place].append(name)
            else:
                self._replaced[place] = name

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Hooks on every module of the original."""
        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(lambda *_, name=name: self._stack.append(name)))
            handles.append(module.register_forward_hook(self._leaving(name), with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        place = self._stack[-1] if self._stack else None
        call = Call(getattr(func, "__name__", ""), args, kwargs or {})
        if place in self._called and _replaceable(call):
            names = self._called[place]
            name = names[self._calls[place] % len(names)]
            self._calls[place] += 1
            self._note(name, output, _one_by_one(self._converted.get_submodule(name), *_values(call)))
        return output

    def _leaving(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            self._stack[-1] = None  # what our layers call is not the original's
            if name in self._unnormed:
                layer, ours = self._unnormed.pop(name)
                self._note(layer, output, self._converted.get_submodule(name)(ours))
            elif name in self._replaced:
                ours = _one_by_one(self._converted.get_submodule(name), *args, *kwargs.values())
                if name in self._folded:
                    self._unnormed[self._folded[name]] = self._replaced[name], ours
                else:
                    self._note(self._replaced[name], output, ours)
            self._stack.pop()

        return hook

    def _note(self, name: str, theirs: Tensor, ours: Tensor) -> None:
        difference = _difference(theirs, ours)
        self.found[name] = max(difference, self.found.get(name, difference))
        self._report(name, self.found[name])


@contextmanager
def _measuring(model: nn.Module, converted: nn.Module, explicit: bool) -> Iterator[None]:
    """Both in evaluation mode, the attention layers explicit or not; then as before."""
    modes = [(layer, layer.explicit) for _, layer in attention_layers(converted)]
    set_explicit(converted, explicit)
    try:
        with evaluating(model, converted), torch.no_grad():
            yield
    finally:
        for layer, before in modes:
            layer.explicit = before


def _longest(name: str, modules: dict[str, nn.Module]) -> str:
    """The module of the original that a layer stands for or in: OnTokens, for one, has its layer inside."""
    while name not in modules:
        name = name.rpartition(".")[0]
    return name


def _replaceable(call: Call) -> bool:
    """Whether as_attention, which looks at BATCH images, has a layer for a call."""
    x = call.args[0] if call.args else call.kwargs.get("input")
    if not isinstance(x, Tensor) or x.ndim == 0:
        return False
    return convertible(Call(call.function, (x[:1].expand(BATCH, *x.shape[1:]), *call.args[1:]), call.kwargs))


def _values(call: Call) -> list[Any]:
    """The input of a call, and for a convolution its kernel and bias."""
    names = ("input", "weight", "bias") if call.function.startswith("conv") else ("input",)
    given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    return [given.get(name) for name in names]


def _one_by_one(layer: nn.Module, x: Tensor, *rest: Any) -> Tensor:
    return torch.cat([layer(image, *rest) for image in x.split(1)])


def _difference(theirs: Tensor, ours: Tensor) -> Difference:
    if theirs.shape != ours.shape:
        raise ValueError(f"outputs of different shapes cannot be compared: {theirs.shape}, {ours.shape}")
    if not theirs.numel():
        return Difference(0.0, math.nan)
    largest = float(theirs.abs().max())
    absolute = float((theirs - ours).abs().max())
    return Difference(absolute, absolute / largest if largest else math.inf if absolute else math.nan)


def _first_tensor(output: Any) -> Tensor:
    return next(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor))
