"""Add our models to timm's registry without importing timm, so that most commands start without torch.

>>> register_with_timm()
>>> import timm; timm.is_model("field_vit")
True
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

ENTRY_POINTS = "vision.entry_points"


def register_with_timm() -> None:
    """Import the entry points of our models: now where timm is imported, otherwise right after it will be."""
    if "timm" in sys.modules:
        importlib.import_module(ENTRY_POINTS)
    elif not any(isinstance(finder, _TimmFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _TimmFinder())


class _TimmFinder(MetaPathFinder):
    """Finds timm as Python does; its loader then imports our entry points as well."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "timm":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            _import_entry_points_after(spec.loader)
        return spec


def _import_entry_points_after(loader: Loader) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        importlib.import_module(ENTRY_POINTS)

    loader.exec_module = exec_module
