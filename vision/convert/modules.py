"""The modules of a model: by name, their hooks and forwards, and how to replace one.

>>> list(named_modules(nn.Sequential(nn.ReLU())))
['', '0']
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

from torch import nn


def named_modules(model: nn.Module, *, remove_duplicate: bool = True) -> dict[str, nn.Module]:
    """Return `model.named_modules()` as a typed dict, so that modules may be replaced during a loop.

    Args:
        remove_duplicate: list a module that is used in several positions only once.
    """
    return dict(cast(Iterable[tuple[str, nn.Module]], model.named_modules(remove_duplicate=remove_duplicate)))


def replace_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Replace the submodule `name`, in place."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


def has_forward_of(module: nn.Module, *classes: type[nn.Module]) -> bool:
    """Return whether a module's forward is that of one of the classes, i.e. was not overridden."""
    forward = _forward(type(module))
    return any(_forward(cls) is forward for cls in classes)


def hooks(module: nn.Module) -> list[Callable[..., object]]:
    """Return the functions that a module calls before or after its forward."""
    torch_module = cast(Any, module)
    return [*torch_module._forward_hooks.values(), *torch_module._forward_pre_hooks.values()]


def _forward(kind: type[nn.Module]) -> object:
    return getattr(kind, "forward")  # noqa: B009 - torch declares it partly
