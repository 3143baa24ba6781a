"""How much of the grid the position vectors of a ViT encode: their similarity for any two tokens.

>>> import timm
>>> position_similarity(timm.create_model("field_vit", img_size=32)).shape
torch.Size([8, 8, 8, 8])
"""

from torch import Tensor, nn

from vision.inspection.stated_grids import is_in_windows
from vision.models import prefix_tokens, stated_grid
from vision.patches import Grid


def position_similarity(model: nn.Module, grid: Grid | None = None) -> Tensor:
    """Return (rows, cols, rows, cols): the cosine similarity of the position vectors of any two tokens.

    Figure 7 of Dosovitskiy et al. (2021). Class and register tokens are left out.

    Args:
        model: with positions in a parameter or buffer named pos_embed or pos_embedding: this suite's ViTs,
            timm's and torchvision's.
        grid: of the patches; None means the one that the model states, see `vision.models.stated_grid`.

    Raises:
        ValueError: the model adds no positions, states no grid, or has other positions than those of the grid
            and of its class and register tokens.
    """
    tables = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    names = [name for name in tables if name.rpartition(".")[2] in ("pos_embed", "pos_embedding")]
    if not names:
        raise ValueError(f"{type(model).__name__} has no pos_embed: it adds no table of position vectors")
    table = tables[names[0]].detach().double()
    if is_in_windows(model):
        raise ValueError(f"{type(model).__name__} keeps its position vectors in the order of windows")
    grid = stated_grid(model) if grid is None else grid
    if grid is None:
        raise ValueError(f"{type(model).__name__} does not state the grid of its tokens; give it as `grid`")
    if table.ndim == 4 and table.shape[:3] != (1, grid.rows, grid.cols):
        raise ValueError(
            f"{names[0]} must be a table (1, {grid.rows}, {grid.cols}, C), got {tuple(table.shape)}"
        )
    table = table.flatten(0, -2)  # (prefix + N, C)
    prefix = prefix_tokens(model)
    if len(table) - grid.size not in (0, prefix):
        relation = "fewer than" if len(table) < grid.size else "which is not the number of tokens that"
        tokens = "has tokens" if len(table) < grid.size else f"and {prefix} class or register tokens have"
        raise ValueError(f"{names[0]} has {len(table)} vectors, {relation} {grid} {tokens}")
    vectors = nn.functional.normalize(table[len(table) - grid.size :], dim=1)
    return (vectors @ vectors.T).view(grid.rows, grid.cols, grid.rows, grid.cols)
