"""What the heads of a model do while it is trained, for the lines of metrics.jsonl."""

import math

from torch import nn

from vision import results
from vision.data import Inputs
from vision.dynamic import JsonObject

IMAGES = 64


class HeadLog:
    """Measures the heads, on the same images each time.

    They are the first validation images or, without any, the first training images.
    """

    def __init__(self, inputs: Inputs) -> None:
        shown = inputs.subset.val if len(inputs.subset.val) else inputs.subset.train
        self._images, _ = next(inputs.eval_batches(inputs.source.train, shown[:IMAGES]))

    def at_start(self, model: nn.Module) -> JsonObject:
        """Return the measures of a model before its first step."""
        return {results.HEADS_AT_START: self._measure(model)}

    def now(self, model: nn.Module) -> JsonObject:
        """Return the measures of a model after some steps."""
        return {results.HEADS: self._measure(model)}

    def _measure(self, model: nn.Module) -> list[JsonObject]:
        from vision.inspection import measure_heads  # which needs pandas

        rows = measure_heads(model, self._images).to_dict("records")
        return [{str(name): _without_nan(value) for name, value in row.items()} for row in rows]


def _without_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value
