"""A trained model for images of any height and width, where it works on them.

>>> from vision.models import create_model
>>> sides(create_model("plain_cnn")), sides(create_model("field_cnn", patch_size=4, dynamic_img_size=True))
((1, 1), (4, 4))
"""

from dataclasses import replace
from typing import Any, cast

import torch
from torch import nn

from vision.dynamic import Arguments
from vision.models import Backbone
from vision.patches import pair
from vision.reuse.trained_model import TrainedModel
from vision.text import first_line

OTHERWISE = "leave out the dynamic size, or load the model with another img_size"


def for_any_size(trained: TrainedModel) -> TrainedModel:
    """Return the model for images of any size; a backbone is built again, with dynamic_img_size.

    Raises:
        ValueError: the model is for one size; the message says why.
    """
    model = trained.model
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        raise ValueError("a recurrence is exported step by step, for one size; leave out the dynamic size")
    if isinstance(model, Backbone):
        arguments: Arguments = {**model.arguments, "dynamic_img_size": True}
        try:
            other = Backbone(**arguments, **model.like()).eval()
            other.load_state_dict(model.state_dict())
        except ValueError as error:
            raise ValueError(f"{error}; {OTHERWISE}") from error
        except RuntimeError as error:  # its layers are others than its arguments say
            raise ValueError(
                f"a model made from another one is for the grid that it was made for; {OTHERWISE}"
            ) from error
        return replace(trained, model=other)
    size = other_size(trained.config["input_size"], sides(model))
    try:
        with torch.no_grad():
            model(torch.zeros(1, *size))
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} takes only images of {trained.config['input_size']}; {OTHERWISE} "
            f"({first_line(error)})"
        ) from error
    return trained


def sides(model: nn.Module) -> tuple[int, int]:
    """Return the numbers of pixels that divide the height and the width of every image that a model takes."""
    stem: Any = getattr(model, "patch_embed", None)
    if stem is None or getattr(stem, "dynamic_img_pad", False):
        return 1, 1
    return pair(cast(Any, getattr(stem, "patch_size", 1)))


def other_size(shape: tuple[int, int, int], multiples: tuple[int, int]) -> tuple[int, int, int]:
    """Return a shape (C, H, W) twice as high, and about half again as wide, in whole multiples."""
    channels, height, width = shape
    step = multiples[1]
    return channels, 2 * height, width + step * max(1, width // (2 * step))


def dynamic_sides(multiples: tuple[int, int]) -> dict[int, Any]:
    """Return torch.export's dynamic shapes of height and width."""
    names = {2: "rows", 3: "cols"}
    return {
        axis: torch.export.Dim.DYNAMIC if multiple == 1 else multiple * torch.export.Dim(names[axis])
        for axis, multiple in zip((2, 3), multiples, strict=True)
    }
