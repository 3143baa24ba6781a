"""Vision transformers against CNNs: images as sets of vectors, CNNs as masked attention, curves over data.

Importing this adds our models to timm's registry. The names in `__init__.pyi` are imported on first use.

>>> import timm, vision
>>> vision.attend.__name__, timm.is_model("field_vit")
('attend', True)
"""

from vision import _current_folder as _current_folder  # first: it decides where others are found
from vision._lazy import attach_stub
from vision._old_names import old_names
from vision._registration import register_with_timm

register_with_timm()
_import_name, __all__ = attach_stub(__name__, __file__)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = old_names(__name__, {"release": "vision.soften.soften"}, _import_name)


def __dir__() -> list[str]:
    return __all__
