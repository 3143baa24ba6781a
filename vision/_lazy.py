"""Names of a package that are imported on first use, as its stub file lists them.

This is what scientific-python's lazy_loader does. It is here so that the models work where only torch,
torchvision and timm are installed.

>>> import_name, names = attach_stub("vision", "vision/__init__.py")
>>> "attend" in names, import_name("attend").__name__
(True, 'attend')
"""

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def attach_stub(package: str, file: str) -> tuple[Callable[[str], Any], list[str]]:
    """Return the module's `__getattr__` and `__all__`, from `from .X import Y as Y` in its stub."""
    origins = {
        alias.name: f"{package}.{node.module}" if node.module else package
        for node in ast.parse(Path(file).with_suffix(".pyi").read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def import_name(name: str) -> Any:
        origin = origins.get(name)
        if origin is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if origin == package:
            return importlib.import_module(f"{package}.{name}")
        value = getattr(importlib.import_module(origin), name)
        # A submodule of the same name, once imported, must not hide the name.
        setattr(sys.modules[package], name, value)
        return value

    return import_name, sorted(origins)
