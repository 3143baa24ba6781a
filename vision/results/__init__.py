"""The results of runs: the folder of one run, and the records of many. Nothing here imports torch.

The names in `__init__.pyi` are imported on first use, so that what needs no table does not import pandas.

>>> columns()["train_seconds"].unit
's'
"""

from vision._lazy import attach_stub
from vision._old_names import old_names

_import_name, __all__ = attach_stub(__name__, __file__)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = old_names(__name__, {"not_asked_for": "vision.results.runs_not_in_plan"}, _import_name)


def __dir__() -> list[str]:
    return __all__
