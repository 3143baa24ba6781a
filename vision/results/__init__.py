"""The results of runs: the folder of one run, and the records of many. Nothing here imports torch.

The names in `__init__.pyi` are imported on first use, so that what needs no table does not import pandas.

>>> columns()["train_seconds"].unit
's'
"""

import lazy_loader  # pyright: ignore[reportMissingTypeStubs]

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(  # pyright: ignore[reportUnknownVariableType]
    __name__, __file__
)
