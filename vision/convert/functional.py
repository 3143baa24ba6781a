"""Convolutions and pools that a module's forward calls as functions: its graph is read, and calls layers.

>>> rewrite(module, [("max_pool2d", layer)])  # module's first F.max_pool2d is now module.max_pool2d_attention
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch.fx
from torch import nn

from vision.convert.rules import CannotConvert


def rewrite(module: nn.Module, layers: Sequence[tuple[str, nn.Module]]) -> list[str]:
    """Let a module's forward call `layers` where it calls functions, in place, in either mode.

    The module keeps its attributes and methods, and gets a class of its own beneath the old one, as
    torch's parametrizations do; its submodules are not looked into.

    Returns:
        The names of the layers in the module.

    Args:
        module: the module whose own forward calls the functions.
        layers: name of the function and layer for each call, in the order of the calls.

    Raises:
        CannotConvert: the forward cannot be traced, or calls others in training or evaluation mode.
    """
    names = [_free(module, f"{function}_attention", i) for i, (function, _) in enumerate(layers)]
    functions = [function for function, _ in layers]
    for name, (_, layer) in zip(names, layers, strict=True):
        module.add_module(name, layer)
    try:
        forwards = {mode: _forward(module, functions, names, training=mode) for mode in (False, True)}
    except CannotConvert:
        for name in names:
            delattr(module, name)
        raise

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return forwards[self.training](self, *args, **kwargs)

    kind = type(module)
    module.__class__ = type(kind.__name__, (kind,), {"forward": forward})
    return names


class _Tracer(torch.fx.Tracer):
    """Looks into one forward only."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _forward(
    module: nn.Module, functions: Sequence[str], names: Sequence[str], *, training: bool
) -> Callable[..., Any]:
    before, module.training = module.training, training
    try:
        graph = _Tracer().trace(module)
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
    names = ("input", "weight", "bias") if str(_function(node)).startswith("conv") else ("input",)
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return tuple(given.get(name) for name in names)


def _free(module: nn.Module, name: str, number: int) -> str:
    return name if number == 0 and not hasattr(module, name) else f"{name}{number}"
