"""Evaluation mode for the time of a block.

>>> model = nn.Dropout()
>>> with evaluating(model):
...     model.training
False
"""

from collections.abc import Generator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(*models: nn.Module) -> Generator[None]:
    """Put the models in evaluation mode for the block, then restore the mode of each module."""
    modes = {module: module.training for model in models for module in model.modules()}
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
