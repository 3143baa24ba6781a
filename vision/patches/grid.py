"""The grid of the patches of an image.

>>> patch_grid(32, patch_size=4)
Grid(rows=8, cols=8)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

NOT_INTEGERS = (float, str, bytes, list, tuple, type(None))
Size = int | tuple[int, int]  # one number for rows and columns, or (rows, cols)


def pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Return (rows, cols) of a size; timm's to_2tuple, which is untyped and slow to import, does the same."""
    if isinstance(size, int):
        return size, size
    if isinstance(cast(object, size), str) or not hasattr(size, "__len__") or len(size) != 2:
        raise ValueError(f"a size must be one integer, or two for rows and columns, got {size!r}")
    return size[0], size[1]


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of rows x cols tokens; the token at (row, col) has index row * cols + col."""

    rows: int
    cols: int

    def __post_init__(self) -> None:
        for name, side in (("rows", self.rows), ("cols", self.cols)):
            if isinstance(cast(object, side), NOT_INTEGERS):  # those of a tracer are no int
                raise ValueError(f"{name} of a grid must be an integer, got {side!r}")
        if self.rows < 1 or self.cols < 1:
            raise ValueError(f"a grid needs at least one row and column, got {self.rows} x {self.cols}")

    @property
    def size(self) -> int:
        """Number of tokens N."""
        return self.rows * self.cols

    def coordinates(self, device: torch.device | str = "cpu") -> Tensor:
        """Return (N, 2): row and column of each token, in index order."""
        index = torch.arange(self.size, device=device)
        row = index // self.cols
        return torch.stack((row, index - row * self.cols), dim=1)  # ONNX has no remainder of dynamic sizes


def given_grid(grid: Grid | None) -> Grid | None:
    """Return the grid that the optional argument of a layer holds, or None.

    torch.fx passes a placeholder in place of None when it traces a layer alone; it counts as None too.
    """
    return grid if isinstance(grid, Grid) else None


def patch_grid(img_size: Size, patch_size: Size, *, pad: bool = False) -> Grid:
    """Return the grid of the patches of an image.

    Args:
        img_size: height and width in pixels, or one number for both.
        patch_size: height and width of a patch in pixels, or one number for both.
        pad: count the patches that the image only begins.

    Raises:
        ValueError: the patch does not divide the image. The message lists the square patches that do.
    """
    (height, width), (rows, cols) = pair(img_size), pair(patch_size)
    if pad and min(rows, cols) > 0:
        return Grid(-(-height // rows), -(-width // cols))
    if min(rows, cols) < 1 or height % rows or width % cols:
        shorter = min(height, width)
        fits = [p for p in range(1, shorter + 1) if height % p == 0 and width % p == 0]
        raise ValueError(
            f"patch_size must divide the image's height and width, got {patch_size=} for "
            f"{height} x {width} pixels; {', '.join(map(str, fits))} would fit, and any with "
            "dynamic_img_pad=true"
        )
    return Grid(height // rows, width // cols)


def padding_of(img_size: Size, patch_size: Size) -> tuple[int, int]:
    """Return the rows and columns of pixels that are missing for a patch to divide an image."""
    (height, width), (rows, cols) = pair(img_size), pair(patch_size)
    return -height % rows, -width % cols
