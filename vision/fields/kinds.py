"""The kinds of field: full, a convolution's, a neighbourhood, a window along the sequence, tiles.

>>> neighbourhood(Grid(4, 4), kernel_size=3).mask()[0].nonzero().flatten().tolist()
[0, 1, 4, 5]
"""

from itertools import pairwise

import torch
from torch import Tensor

from vision.fields.field import Field
from vision.patches import Grid


def full(queries: Grid, keys: Grid | None = None) -> Field:
    """Field in which every query attends to every key: that of plain self-attention."""
    return Field(queries, keys or queries)


def neighbourhood(
    grid: Grid, kernel_size: int, *, dilation: int = 1, stride: int = 1, causal: bool = False
) -> Field:
    """Field of the kernel_size x kernel_size patches around each query; clipped at the border.

    Args:
        grid: grid of the keys; with stride 1 also of the queries.
        kernel_size: odd number of patches across.
        dilation: step between the patches of the field.
        stride: step between queries; their grid has ceil(rows / stride) x ceil(cols / stride) places.
        causal: leave out the keys that come after the query's place in index order, row by row.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(
            f"kernel_size must be odd and positive, so that a field has a centre, got {kernel_size=}"
        )
    padding = dilation * (kernel_size // 2)
    field = convolution(grid, kernel_size, stride=stride, padding=padding, dilation=dilation)
    return _causal(field) if causal else field


def convolution(
    grid: Grid,
    kernel_size: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
) -> Field:
    """Field of a zero-padded convolution; `offsets` are its kernel positions in row-major order.

    The arguments are those of torch.nn.Conv2d; the queries sit on the grid of the convolution's output.

    Raises:
        ValueError: a number is out of range, or the kernel is larger than the padded grid.
    """
    kernel, step, pad, dil = (_pair(v) for v in (kernel_size, stride, padding, dilation))
    if min(kernel) < 1 or min(step) < 1 or min(dil) < 1 or min(pad) < 0:
        raise ValueError(
            "kernel_size, stride and dilation must be at least 1 and padding at least 0, "
            f"got {kernel_size=}, {stride=}, {dilation=}, {padding=}"
        )
    sides = zip((grid.rows, grid.cols), kernel, step, pad, dil, strict=True)
    out = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides]
    if min(out) < 1:
        raise ValueError(
            f"a {kernel[0]} x {kernel[1]} kernel with {dilation=} does not fit {grid} with {padding=}; "
            "take a smaller kernel or more padding"
        )
    rows = [i * dil[0] - pad[0] for i in range(kernel[0])]
    cols = [j * dil[1] - pad[1] for j in range(kernel[1])]
    offsets = tuple((r, c) for r in rows for c in cols)
    return Field(Grid(*out), grid, offsets=offsets, stride=step)


def truncated(length: int | Grid, window: int, *, dilation: int = 1, causal: bool = False) -> Field:
    """Field of a 1-D window over the sequence of tokens: truncated self-attention, cost linear in length.

    Args:
        length: number of tokens, which then sit on Grid(1, length); or a grid, which is kept and whose tokens
            are the sequence in index order, so that a window runs over the ends of rows. The keys of each
            query are the same. Of several rows, a grid's field is one by indices, else by offsets.
        window: odd number of tokens across, the query in the middle.
        dilation: step between the tokens of the window.
        causal: leave out the tokens after the query.

    Raises:
        ValueError: the window is even or not positive, or dilation is below 1.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window must be odd and positive, so that it has a centre, got {window=}")
    if dilation < 1:
        raise ValueError(f"dilation must be at least 1, got {dilation=}")
    grid = length if isinstance(length, Grid) else Grid(1, length)
    steps = [step * dilation for step in range(-(window // 2), window // 2 + 1)]
    steps = [step for step in steps if step <= 0] if causal else steps
    if grid.rows == 1:
        return Field(grid, grid, offsets=tuple((0, step) for step in steps))
    # (N, 1) + (K,) -> (N, K)
    index = torch.arange(grid.size, device="cpu")[:, None] + torch.tensor(steps, device="cpu")
    return Field(grid, grid, indices=index.masked_fill((index < 0) | (index >= grid.size), -1))


def tiled(grid: Grid, window: int, *, shift: int = 0) -> Field:
    """Field of the window x window tile in which the query lies: Swin's (Liu et al., 2021); by indices.

    Nothing wraps around: what a shift cuts off at the border is a smaller tile of its own, which is what
    Swin's mask makes of its cyclic shift. Column i * K_cols + j leads to row i and column j of the tile, for
    tiles of at most K_rows x K_cols.

    Args:
        grid: grid of queries and keys.
        window, shift: as in `tiles`, for rows and columns.
    """
    rows, cols = (_tile_of_each(side, window, shift) for side in (grid.rows, grid.cols))
    # (rows, 1, K_rows, 1) and (1, cols, 1, K_cols) -> (rows, cols, K_rows, K_cols)
    row, col = rows[:, None, :, None], cols[None, :, None, :]
    index = (row * grid.cols + col).masked_fill((row < 0) | (col < 0), -1)
    return Field(grid, grid, indices=index.flatten(2).flatten(0, 1))


def tiles(length: int, window: int, *, shift: int = 0) -> list[slice]:
    """() -> the tiles along one side of a grid, from its start to its end.

    Args:
        length: places along the side; where a window is no shorter there is one tile, whatever the shift.
        window: places of a tile; the first and the last may be shorter.
        shift: where the second tile begins; 0 is as good as window.

    Raises:
        ValueError: the window is not positive, or shift is not in 0 to window - 1.
    """
    if window < 1 or not 0 <= shift < window:
        raise ValueError(f"window must be at least 1 and shift in 0 to window - 1, got {window=}, {shift=}")
    inner = range(shift or window, length, window) if window < length else ()
    return [slice(*ends) for ends in pairwise((0, *inner, length))]


def _tile_of_each(length: int, window: int, shift: int) -> Tensor:
    """() -> long (length, K): the places in each place's tile, -1 where it has fewer than the largest."""
    spans = tiles(length, window, shift=shift)
    most = max(span.stop - span.start for span in spans)
    rows = []
    for span in spans:
        places = torch.arange(span.start, span.start + most, device="cpu")
        rows.append(places.masked_fill(places >= span.stop, -1).expand(span.stop - span.start, -1))
    return torch.cat(rows)


def _causal(field: Field) -> Field:
    # Offsets compare row first, which is the order of the tokens.
    return field.with_offsets(tuple(offset for offset in field.offsets or () if offset <= (0, 0)))


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
