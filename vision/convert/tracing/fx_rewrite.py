"""Convolutions and pools that a module's forward calls as functions: its graph is read, and calls layers.

>>> rewrite(module, [("max_pool2d", layer)])  # module's first F.max_pool2d is now module.max_pool2d_attention
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch.fx
from torch import nn
from torch.utils._pytree import tree_leaves

from vision.convert.layers.pooling import PoolingAttention
from vision.convert.tracing.module_rules import CannotConvert

_TENSORS = ("input", "weight", "bias")


def rewrite(module: nn.Module, layers: Sequence[tuple[str, nn.Module]], given: frozenset[str]) -> list[str]:
    """Let a module's forward call `layers` where it calls functions, in place, in either mode.

    The module keeps its attributes and methods, and gets a class of its own beneath the old one, as
    torch's parametrizations do; its submodules are not looked into. Attributes that are no tensors have the
    values of now. Called with other arguments than `given`, the forward is the old one.

    Returns:
        The names of the layers in the module.

    Args:
        module: the module whose own forward calls the functions.
        layers: name of the function and layer for each call, in the order of the calls.
        given: names of the arguments that the forward gets; the others keep their defaults.

    Raises:
        CannotConvert: the forward cannot be traced, calls others in training or evaluation mode, or computes
            from the image's size what a layer has to know.
    """
    names = [_free(module, f"{function}_attention", i) for i, (function, _) in enumerate(layers)]
    functions = [function for function, _ in layers]
    for name, (_, layer) in zip(names, layers, strict=True):
        module.add_module(name, layer)
    try:
        forwards = {mode: _forward(module, functions, names, given, mode) for mode in (False, True)}
    except CannotConvert:
        for name in names:
            delattr(module, name)
        raise

    kind, signature = type(module), inspect.signature(module.forward)

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        found = signature.bind(*args, **kwargs).arguments
        if found.keys() != given:
            return kind.forward(self, *args, **kwargs)
        return forwards[self.training](self, *found.values())

    module.__class__ = type(kind.__name__, (kind,), {"forward": forward})
    return names


class _Tracer(torch.fx.Tracer):
    """Looks into one forward only."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _forward(
    module: nn.Module,
    functions: Sequence[str],
    names: Sequence[str],
    given: frozenset[str],
    training: bool,
) -> Callable[..., Any]:
    before, module.training = module.training, training
    try:
        graph = _Tracer().trace(module, _defaults(module, given))
    except Exception as error:
        raise CannotConvert(f"its forward cannot be traced: {type(error).__name__}: {error}") from error
    finally:
        module.training = before
    nodes = [node for node in graph.nodes if _function(node) in functions]
    if [_function(node) for node in nodes] != list(functions):
        raise CannotConvert(
            f"its forward calls {', '.join(functions)} when run, but "
            f"{', '.join(map(str, map(_function, nodes))) or 'nothing'} when traced"
        )
    for node, name in zip(nodes, names, strict=True):
        if _computed(node):
            module.set_submodule(name, _over_all(module.get_submodule(name)))
        with graph.inserting_after(node):
            called = graph.create_node("call_module", name, _tensors(node))
        node.replace_all_uses_with(called)
        graph.erase_node(node)
    return type(torch.fx.GraphModule(module, graph)).forward


def _function(node: torch.fx.Node) -> str | None:
    if node.op == "call_method":
        return str(node.target)
    return getattr(node.target, "__name__", None) if node.op == "call_function" else None


def _tensors(node: torch.fx.Node) -> tuple[Any, ...]:
    """The input of a call, and for a convolution its kernel and bias."""
    names = _TENSORS if str(_function(node)).startswith("conv") else _TENSORS[:1]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return tuple(given.get(name) for name in names)


def _defaults(module: nn.Module, given: frozenset[str]) -> dict[str, Any] | None:
    parameters = inspect.signature(module.forward).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in given and p.default is not p.empty} or None


def _computed(node: torch.fx.Node) -> bool:
    """Whether a call's numbers, as a pool's kernel, are computed in the forward."""
    names = [*range(len(_tensors(node)), len(node.args))]
    numbers = [*(node.args[i] for i in names), *(v for k, v in node.kwargs.items() if k not in _TENSORS)]
    return any(isinstance(leaf, torch.fx.Node) for leaf in tree_leaves(numbers))


def _over_all(layer: nn.Module) -> nn.Module:
    """A pool whose kernel is computed as the image's size, made for any size."""
    if isinstance(layer, PoolingAttention) and layer.covers_all:
        return layer.over_all()
    raise CannotConvert("it computes the numbers of a call, and these are not a pool's over the whole image")


def _free(module: nn.Module, name: str, number: int) -> str:
    return name if number == 0 and not hasattr(module, name) else f"{name}{number}"
