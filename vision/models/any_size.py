"""timm's arguments for the size of images, where a model takes images of any size and has no patches.

>>> without_sizes("plain_cnn", {"img_size": 48, "num_classes": 2})
{'num_classes': 2}
"""

from collections.abc import Mapping, Sequence
from typing import cast

from vision.dynamic import Arguments
from vision.patches import Size

SIZES = ("img_size", "dynamic_img_size", "dynamic_img_pad")


class AnySize:
    """What a model for images of any size adds to its class, so that it is called as timm's ViTs are."""

    def set_input_size(self, img_size: Size | None = None, patch_size: Size | None = None) -> None:
        """Accept a size of the images; nothing changes, as the model takes images of any size.

        Args:
            img_size: height and width in pixels, or one number for both.
            patch_size: None, as there are no patches.

        Raises:
            ValueError: img_size is not a size, or a patch_size is given.
        """
        without_sizes(type(self).__name__, {"img_size": img_size, "patch_size": patch_size})


def without_sizes(name: str, arguments: Mapping[str, object]) -> Arguments:
    """Return arguments without those for the size of the images.

    Args:
        name: of the model, for messages.
        arguments: of `timm.create_model`.

    Raises:
        ValueError: img_size is not a size, or a patch_size is given.
    """
    if arguments.get("patch_size") is not None:
        raise ValueError(
            f"patch_size must be left out, as {name} has no patches, got {arguments['patch_size']!r}"
        )
    check_img_size(arguments.get("img_size"))
    return {key: value for key, value in arguments.items() if key not in (*SIZES, "patch_size")}


def check_img_size(size: object) -> None:
    """Raise a ValueError unless this is a number of pixels, a pair of them, or None."""
    sides = cast("tuple[object, ...]", size) if isinstance(size, Sequence) else (size, size)
    positive = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides)
    if size is not None and not (len(sides) == 2 and positive):
        raise ValueError(f"img_size must be a number of pixels, or height and width, got {size!r}")
