"""The modules of a model by name, and how to replace one.

>>> list(named_modules(nn.Sequential(nn.ReLU())))
['', '0']
"""

from collections.abc import Iterable
from typing import cast

from torch import nn


def named_modules(model: nn.Module, *, remove_duplicate: bool = True) -> dict[str, nn.Module]:
    """Return `model.named_modules()` as a typed dict, in which modules may be replaced while it is read.

    Args:
        remove_duplicate: list a module that is used in several positions only once.
    """
    return dict(cast(Iterable[tuple[str, nn.Module]], model.named_modules(remove_duplicate=remove_duplicate)))


def replace_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Replace a submodule, in place."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
