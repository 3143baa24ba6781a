"""Fields of every kind, shared by the tests of fields and of attention."""

import torch

from vision.fields import Field, convolution, full, neighbourhood, truncated
from vision.patches import Grid

CONVOLUTIONS = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 2},
    {"kernel_size": (1, 4), "padding": (0, 2)},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (5, 3), "stride": (2, 3), "padding": (2, 0)},
    {"kernel_size": 3, "dilation": 2, "padding": 2},
    {"kernel_size": (2, 3), "dilation": (3, 1), "stride": (1, 2), "padding": (1, 2)},
    {"kernel_size": 1, "padding": 2},
]


def masked(seed: int, queries: Grid, keys: Grid) -> Field:
    """A random mask whose first row, and whose every third key, is empty."""
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(queries.size, keys.size, generator=generator) < 0.4
    allowed[0], allowed[:, ::3] = False, False
    return Field(queries, keys, allowed=allowed)


def scattered(seed: int) -> Field:
    """Random offsets, stride and grids: far offsets that miss the grid, rows without any key."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda low, high: int(torch.randint(low, high, (), generator=generator))  # noqa: E731
    offsets = {(draw(-4, 5), draw(-4, 5)) for _ in range(draw(1, 7))}
    queries, keys = Grid(draw(1, 6), draw(1, 6)), Grid(draw(1, 7), draw(1, 7))
    return Field(queries, keys, offsets=tuple(offsets), stride=(draw(1, 4), draw(1, 4)))


GRID = Grid(5, 6)
BY_OFFSETS = {
    "3x3": neighbourhood(GRID, 3),
    "5x5": neighbourhood(GRID, 5),
    "dilated": neighbourhood(GRID, 3, dilation=2),
    "strided": neighbourhood(GRID, 3, stride=2),
    "padded": convolution(GRID, (2, 3), stride=(2, 1), padding=(3, 1)),
    "truncated": truncated(17, 5, dilation=2),
    "wide": neighbourhood(Grid(3, 2), 7),
    "none": Field(GRID, GRID, offsets=()),
    **{f"scattered{seed}": scattered(seed) for seed in range(8)},
}
OTHERS = {
    "full": full(GRID),
    "cross": full(Grid(2, 3), GRID),
    **{f"masked{seed}": masked(seed, Grid(3, 4), GRID) for seed in range(3)},
}


def edges_of(field: Field) -> torch.Tensor:
    """Return (2, E): key and query of each pair that a field allows, ordered by query, then by key."""
    return field.mask().nonzero().T.flip(0)


def by_indices(field: Field) -> Field:
    """The same field, its columns in another order, given by its keys one by one."""
    index, valid = field.neighbours()
    indices = torch.where(valid, index, -1).flip(1)
    return Field(field.queries, field.keys, indices=indices)


BY_INDICES = {f"indices, {name}": by_indices(field) for name, field in BY_OFFSETS.items()}
OTHERS |= {name: BY_INDICES[name] for name in ("indices, 3x3", "indices, strided")}
