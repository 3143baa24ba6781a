"""Whether a token mixer works on any grid, which a backbone for images of any size needs.

>>> check_any_grid("convolution", 16, Grid(8, 8), {})
"""

import inspect

import torch

from vision.dynamic import Arguments
from vision.mixers import create_mixer
from vision.patches import Grid


def check_any_grid(name: str, dim: int, grid: Grid, *options: Arguments) -> None:
    """Raise a ValueError, with the reason, where a mixer is bound to the grid that it is built for.

    One that is not takes another grid as a second argument of its forward.

    Args:
        name: of the mixer.
        dim: width of a token.
        grid: that it is built for.
        options: its options, and those that replace some of them in every second block.
    """
    reason, given = "", Arguments()
    other = Grid(grid.rows + 1, grid.cols + 2)
    for more in options:
        given |= more
        with torch.device("meta"), torch.no_grad():
            mixer = create_mixer(name, dim, grid, **given, device="meta")
            if "grid" not in inspect.signature(mixer.forward).parameters:
                reason = "its forward takes no grid"
            else:
                try:
                    mixer(torch.empty(1, other.size, dim, device="meta"), other)
                except ValueError as error:
                    reason = str(error)
        if reason:
            raise ValueError(
                f"dynamic_img_size needs a mixer that works on any grid, got mixer={name!r}: {reason}; "
                "set_input_size changes the size of any model"
            )
