"""The size of a nearest CNN's kernels.

>>> kernel_sides("full", Grid(8, 8))
(15, 15)
"""

from typing import Literal

from vision.patches import Grid

KernelSize = int | Literal["full"]


def kernel_sides(kernel_size: KernelSize, grid: Grid) -> tuple[int, int]:
    """Return the rows and columns of a kernel, or raise a ValueError if it does not fit the grid."""
    if kernel_size == "full":
        return 2 * grid.rows - 1, 2 * grid.cols - 1
    is_int = type(kernel_size) is int  # not True
    odd = is_int and kernel_size > 0 and kernel_size % 2 == 1
    if not odd or kernel_size > min(grid.rows, grid.cols):
        raise ValueError(
            f"kernel_size must be odd and at most {min(grid.rows, grid.cols)}, as the tokens' grid is "
            f'{grid.rows} x {grid.cols}, or "full", got {kernel_size!r}'
        )
    return kernel_size, kernel_size
