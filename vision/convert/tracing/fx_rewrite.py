"""Rewrite a forward that calls convolutions and pools as functions: its traced graph calls layers instead.

>>> class Pool(nn.Module):
...     def forward(self, x):
...         return nn.functional.max_pool2d(x, 2)
>>> rewrite(Pool(), [("max_pool2d", nn.MaxPool2d(2))], frozenset({"x"}))
['max_pool2d_attention']
"""

import inspect
from collections.abc import Callable, Sequence

import torch.fx
from torch import nn
from torch.fx.node import Argument
from torch.utils._pytree import tree_leaves

from vision.convert.layers.pooling import PoolingAttention
from vision.convert.tracing.rule import CannotConvert
from vision.dynamic import Arguments

_TENSORS = ("input", "weight", "bias")


def rewrite(
    module: nn.Module, layers: Sequence[tuple[str, nn.Module]], argument_names: frozenset[str]
) -> list[str]:
    """Let a module's forward call `layers` instead of functions, in place.

    The module keeps its attributes and methods. It gets a new class derived from the old one, as with torch's
    parametrizations. Its submodules are not rewritten. Attributes that are not tensors keep their current
    values. Called with arguments other than `argument_names`, the old forward runs.

    Args:
        module: the module whose own forward calls the functions.
        layers: name of the function and layer for each call, in the order of the calls.
        argument_names: names of the arguments that the forward gets; the others keep their defaults.

    Returns:
        The names of the layers in the module.

    Raises:
        CannotConvert: the forward cannot be traced, calls different functions in training and evaluation
            mode, or computes from the image's size what a layer must know.
    """
    names = [_free(module, f"{function}_attention", i) for i, (function, _) in enumerate(layers)]
    functions = [function for function, _ in layers]
    for name, (_, layer) in zip(names, layers, strict=True):
        module.add_module(name, layer)
    try:
        forwards = {mode: _forward(module, functions, names, argument_names, mode) for mode in (False, True)}
    except CannotConvert:
        for name in names:
            delattr(module, name)
        raise

    kind, signature = type(module), inspect.signature(module.forward)

    def forward(self: nn.Module, *args: object, **kwargs: object) -> object:
        arguments = signature.bind(*args, **kwargs).arguments
        if arguments.keys() != argument_names:
            return kind.forward(self, *args, **kwargs)
        return forwards[self.training](self, *arguments.values())

    module.__class__ = type(kind.__name__, (kind,), {"forward": forward})
    return names


class _Tracer(torch.fx.Tracer):
    """Traces one forward only: all submodules are leaves."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _forward(
    module: nn.Module,
    functions: Sequence[str],
    names: Sequence[str],
    argument_names: frozenset[str],
    training: bool,
) -> Callable[..., object]:
    before, module.training = module.training, training
    try:
        graph = _Tracer().trace(module, _defaults(module, argument_names))
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


def _tensors(node: torch.fx.Node) -> tuple[Argument, ...]:
    """Return the input of a call, and for a convolution its kernel and bias."""
    names = _TENSORS if str(_function(node)).startswith("conv") else _TENSORS[:1]
    arguments = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return tuple(arguments.get(name) for name in names)


def _defaults(module: nn.Module, argument_names: frozenset[str]) -> Arguments | None:
    parameters = inspect.signature(module.forward).parameters.values()
    optional = [p for p in parameters if p.name not in argument_names and p.default is not p.empty]
    return {p.name: p.default for p in optional} or None


def _computed(node: torch.fx.Node) -> bool:
    """Return whether numbers of a call, such as a pool's kernel size, are computed in the forward."""
    options = (value for name, value in node.kwargs.items() if name not in _TENSORS)
    numbers = [*node.args[len(_tensors(node)) :], *options]
    return any(isinstance(leaf, torch.fx.Node) for leaf in tree_leaves(numbers))


def _over_all(layer: nn.Module) -> nn.Module:
    """Return a pool for images of any size, for one whose kernel is computed as the image's size."""
    if isinstance(layer, PoolingAttention) and layer.covers_all:
        return layer.for_any_size()
    raise CannotConvert("it computes the numbers of a call other than those of a pool over the whole image")


def _free(module: nn.Module, name: str, number: int) -> str:
    return name if number == 0 and not hasattr(module, name) else f"{name}{number}"
