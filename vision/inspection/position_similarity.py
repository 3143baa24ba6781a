"""What a ViT's position vectors have learned of the grid: how alike those of any two places are.

>>> position_similarity(model).shape  # doctest: +SKIP
torch.Size([14, 14, 14, 14])
"""

import math

from torch import Tensor, nn

from vision.patches import Grid


def position_similarity(model: nn.Module, grid: Grid | None = None) -> Tensor:
    """() -> (rows, cols, rows, cols): cosine similarity of the position vectors of each two places.

    As Dosovitskiy et al. (2021), figure 7. Class and register tokens are left out.

    Args:
        model: with positions in a parameter or buffer named pos_embed or pos_embedding: this suite's ViTs,
            timm's and torchvision's.
        grid: of the patches; None takes a square one.

    Raises:
        ValueError: the model adds no positions, or they do not fill the grid.
    """
    tables = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    names = [name for name in tables if name.rpartition(".")[2] in ("pos_embed", "pos_embedding")]
    if not names:
        raise ValueError(f"{type(model).__name__} has no pos_embed: it adds no position vectors")
    table = tables[names[0]].detach().double().flatten(0, -2)  # (prefix + N, C)
    own = getattr(model, "grid", None)
    if grid is None:
        side = math.isqrt(len(table))
        grid = own if isinstance(own, Grid) else Grid(side, side)
    if grid.size > len(table):
        raise ValueError(f"{names[0]} has {len(table)} vectors, fewer than {grid} has places")
    vectors = nn.functional.normalize(table[len(table) - grid.size :], dim=1)
    return (vectors @ vectors.T).unflatten(1, (grid.rows, grid.cols)).unflatten(0, (grid.rows, grid.cols))
