"""The grids that the tokens of a model may form on an image, as the model states them.

A grid is never guessed from a number of tokens: 54 tokens may be 6 x 9 patches, and as well something else.

>>> import timm
>>> model = timm.create_model("vit_tiny_patch16_224", img_size=(32, 48), depth=1)
>>> stated_grids(model, (32, 48)).patches(7)
(Grid(rows=2, cols=3), 1)
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from vision.models import prefix_tokens, token_grid
from vision.models.timm_model import FeatureInfo
from vision.patches import Grid

POOLED = (1, 2, 4, 8, 16, 32)  # of how many rows and columns of patches a pool, or a stride, makes one
_IN_WINDOWS = ("Hiera", "HieraDet", "Nest")  # timm's


class StatedGrids(NamedTuple):
    """The grids that a model states, each also pooled.

    Attributes:
        grids: the finest first; empty if the model states none.
        prefix: number of class and register tokens, which some layers have before the patches.
    """

    grids: tuple[Grid, ...]
    prefix: int

    def patches(self, tokens: int) -> tuple[Grid, int] | None:
        """Return the grid of a layer's tokens, and the number of tokens before the patches.

        Returns:
            None if no grid has as many tokens, or more than one has.
        """
        fits = {
            (grid, before)
            for grid in self.grids
            for before in (self.prefix, 0)
            if grid.size + before == tokens
        }
        return fits.pop() if len(fits) == 1 else None

    def why_none(self, tokens: str) -> str:
        """Return why tokens, such as "54" or "54 x 6", have no places on the image."""
        if not self.grids:
            return f"the model states no grid of its {tokens} tokens; a Grid(rows, cols) as model.grid does"
        first = self.grids[0]
        return (
            f"{tokens} tokens are not those of the model's grid of {first.rows} x {first.cols}, or of a pool"
        )


def stated_grids(model: nn.Module, size: tuple[int, int]) -> StatedGrids:
    """Return the grids that a model's tokens may form on images of size (H, W).

    They are those of `vision.models.token_grid`, or else of timm's `feature_info`: one for each reduction.
    There are none for a model that keeps its tokens in the order of windows. A single token is not
    a pooled grid, as it may be a class token.
    """
    if is_in_windows(model):
        return StatedGrids((), 0)
    stem = token_grid(model, (3, *size))
    info: Sequence[FeatureInfo] = getattr(model, "feature_info", None) or ()
    reductions = dict.fromkeys(int(stage["reduction"]) for stage in info)
    stated = [stem] if stem else [_divided(size, reduction) for reduction in reductions]
    pooled = (_divided((grid.rows, grid.cols), by) for grid in stated for by in POOLED)
    grids = sorted({*stated, *(grid for grid in pooled if grid.size > 1)}, key=lambda grid: -grid.size)
    return StatedGrids(tuple(grids), prefix_tokens(model))


def is_in_windows(model: nn.Module) -> bool:
    """Return whether a model keeps its tokens, and their positions, in the order of windows."""
    return type(model).__name__ in _IN_WINDOWS


def _divided(size: tuple[int, int], by: int) -> Grid:
    return Grid(-(-size[0] // by), -(-size[1] // by))
