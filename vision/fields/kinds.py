"""The kinds of field: full, a convolution's, a neighbourhood, a window along the sequence, tiles.

>>> from vision.patches import Grid
>>> neighbourhood(Grid(4, 4), kernel_size=3).mask()[0].nonzero().flatten().tolist()
[0, 1, 4, 5]
"""

from itertools import pairwise

import torch
from torch import Tensor

from vision.argument_types import checked
from vision.fields.field import Field
from vision.patches import Grid, Size, pair


def full(queries: Grid, keys: Grid | None = None) -> Field:
    """Return the field of plain self-attention: every query attends to every key."""
    return Field(queries, keys or queries)


@checked
def neighbourhood(
    grid: Grid, kernel_size: int, *, dilation: int = 1, stride: int = 1, causal: bool = False
) -> Field:
    """Return the field of the kernel_size x kernel_size patches around each query; clipped at the border.

    Args:
        grid: grid of the keys; with stride 1 also of the queries.
        kernel_size: odd number of patches across.
        dilation: step between the patches of the field.
        stride: step between queries; their grid is ceil(rows / stride) x ceil(cols / stride).
        causal: leave out the keys that come after the query in index order, row by row.

    Raises:
        ValueError: kernel_size is even, or a number is below 1.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(
            f"kernel_size must be odd and positive, so that a field has a centre, got {kernel_size=}"
        )
    padding = dilation * (kernel_size // 2)
    field = convolution(grid, kernel_size, stride=stride, padding=padding, dilation=dilation)
    if not causal:
        return field
    # Offsets compare row first, which is the order of the tokens.
    return field.with_offsets(tuple(offset for offset in field.offsets or () if offset <= (0, 0)))


@checked
def convolution(
    grid: Grid, kernel_size: Size, *, stride: Size = 1, padding: Size = 0, dilation: Size = 1
) -> Field:
    """Return the field of a zero-padded convolution; `offsets` are its kernel positions in row-major order.

    The arguments are those of torch.nn.Conv2d. The queries are the grid of the convolution's output.

    Raises:
        ValueError: a number is out of range, or the kernel is larger than the padded grid.
    """
    kernel, step, pad, dil = (pair(v) for v in (kernel_size, stride, padding, dilation))
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
            "use a smaller kernel or more padding"
        )
    rows = [i * dil[0] - pad[0] for i in range(kernel[0])]
    cols = [j * dil[1] - pad[1] for j in range(kernel[1])]
    offsets = tuple((r, c) for r in rows for c in cols)
    return Field(Grid(*out), grid, offsets=offsets, stride=step)


def kernel_positions(field: Field) -> list[Field]:
    """Split a field by offsets into one field per offset: the heads of a convolution as attention.

    Raises:
        ValueError: the field is not given by offsets.
    """
    if field.offsets is None:
        raise ValueError("field must be given by offsets to be split into kernel positions, got another one")
    return [field.with_offsets((offset,)) for offset in field.offsets]


@checked
def truncated(length: int | Grid, window: int, *, dilation: int = 1, causal: bool = False) -> Field:
    """Return the field of a 1-D window over the sequence of tokens; its cost is linear in the length.

    Args:
        length: number of tokens, placed on Grid(1, length); or a grid, whose tokens in index order are the
            sequence. A window then runs on from the end of a row to the next. On a grid of several rows the
            field is given by indices, else by offsets.
        window: odd number of tokens across, centred on the query.
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
    last = 0 if causal else window // 2
    steps = [step * dilation for step in range(-(window // 2), last + 1)]
    if grid.rows == 1:
        return Field(grid, grid, offsets=tuple((0, step) for step in steps))
    # (N, 1) + (K,) -> (N, K)
    index = torch.arange(grid.size, device="cpu")[:, None] + torch.tensor(steps, device="cpu")
    return Field(grid, grid, indices=index.masked_fill((index < 0) | (index >= grid.size), -1))


@checked
def tiled(grid: Grid, window: int, *, shift: int = 0) -> Field:
    """Return the field of the window x window tile around each query: Swin's (Liu et al., 2021); by indices.

    Nothing wraps around. A shift leaves smaller tiles at the border, which is what Swin's mask makes of its
    cyclic shift. Column i * K_cols + j leads to row i and column j of the tile, for tiles of at most
    K_rows x K_cols.

    Args:
        grid: grid of queries and keys.
        window: side of a tile in tokens; see `tiles`.
        shift: rows and columns by which the tiles are moved; see `tiles`.
    """
    rows, cols = (_tile_of_each(side, window, shift) for side in (grid.rows, grid.cols))
    # (rows, 1, K_rows, 1) and (1, cols, 1, K_cols) -> (rows, cols, K_rows, K_cols)
    row, col = rows[:, None, :, None], cols[None, :, None, :]
    index = (row * grid.cols + col).masked_fill((row < 0) | (col < 0), -1)
    return Field(grid, grid, indices=index.flatten(2).flatten(0, 1))


def tiles(length: int, window: int, *, shift: int = 0) -> list[slice]:
    """Return the tiles along one side of a grid, from its start to its end.

    Args:
        length: tokens along the side. A window at least as long gives one tile, whatever the shift.
        window: length of a tile; the first and the last may be shorter.
        shift: start of the second tile; 0 has the same effect as `window`.

    Raises:
        ValueError: the window is not positive, or shift is not in 0 to window - 1.
    """
    if window < 1 or not 0 <= shift < window:
        raise ValueError(f"window must be at least 1 and shift in 0 to window - 1, got {window=}, {shift=}")
    inner = range(shift or window, length, window) if window < length else ()
    return [slice(*ends) for ends in pairwise((0, *inner, length))]


def _tile_of_each(length: int, window: int, shift: int) -> Tensor:
    """Return long (length, K): the positions in the tile of each position, padded with -1."""
    spans = tiles(length, window, shift=shift)
    longest = max(span.stop - span.start for span in spans)
    rows: list[Tensor] = []
    for span in spans:
        positions = torch.arange(span.start, span.start + longest, device="cpu")
        rows.append(positions.masked_fill(positions >= span.stop, -1).expand(span.stop - span.start, -1))
    return torch.cat(rows)
