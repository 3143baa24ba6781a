"""A backbone for images or patches of another size, in place."""

from typing import TYPE_CHECKING, cast

from timm.models._input import update_model_input_size

from vision.dynamic import Arguments
from vision.models.resizing import give_weights
from vision.patches import Size, pair

if TYPE_CHECKING:
    from vision.models.backbone import Backbone
    from vision.models.block import Block


def set_input_size(model: "Backbone", img_size: Size | None, patch_size: Size | None) -> None:
    """Change the size of the images and patches, see `Backbone.set_input_size`."""
    given = {"img_size": img_size, "patch_size": patch_size}
    arguments: Arguments = model.arguments | {key: size for key, size in given.items() if size is not None}
    other = type(model)(**arguments, **model.like())
    give_weights(model, other)
    model.arguments, model.patch_embed, model.pos_embed = arguments, other.patch_embed, other.pos_embed
    for block, new in zip(model.blocks, other.blocks, strict=False):
        cast("Block", block).mixer = cast("Block", new).mixer
    model.train(model.training)
    for info in model.feature_info:
        info["reduction"] = max(pair(model.patch_embed.patch_size))
    update_model_input_size(model, pair(arguments["img_size"]), patch_size=patch_size)
