"""Vision transformers against CNNs: images as sets of vectors, CNNs as masked attention, curves over data.

Importing this adds our models to timm's registry. The names in `__init__.pyi` are imported on first use.

>>> import timm, vision
>>> vision.attend.__name__, timm.is_model("field_vit")
('attend', True)
"""

import importlib
import warnings
from typing import Any

from vision._lazy import attach_stub
from vision._registration import register_with_timm

register_with_timm()
_import_name, __all__ = attach_stub(__name__, __file__)  # pyright: ignore[reportUnsupportedDunderAll]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name != "release":
        return _import_name(name)
    warnings.warn("vision.release is deprecated, use vision.soften.soften", DeprecationWarning, stacklevel=2)
    return importlib.import_module("vision.soften").soften
