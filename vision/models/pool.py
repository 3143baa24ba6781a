"""The pool of a backbone: from one vector per token to one per image.

>>> import torch
>>> TokenPool("avg")(torch.zeros(2, 64, 16)).shape
torch.Size([2, 16])
"""

from timm.layers.pool1d import global_pool_nlc
from torch import Tensor, nn

POOLS = ("avg", "max", "avgmax", "")
MAP_POOLS = ("avg", "max", "avgmax", "catavgmax")  # of timm's CNNs; the same with "fast" in front


def check_map_pool(global_pool: str, num_classes: int) -> None:
    """Raise a ValueError for a pool that a CNN does not have, or for a linear head on maps without a pool.

    Args:
        global_pool: by timm's names.
        num_classes: width of the head; 0 without one.
    """
    if not global_pool and num_classes:
        raise ValueError(f"global_pool='' leaves maps, which need num_classes=0, got {num_classes=}")
    if global_pool and global_pool.removeprefix("fast") not in ("", *MAP_POOLS):
        raise ValueError(f"global_pool must be {', '.join(MAP_POOLS)} or '', got {global_pool!r}")


def map_pool(global_pool: str | None, present: str, num_classes: int) -> str:
    """Return the pool for a new head: the one that is asked for, else the present one, else avg.

    Raises:
        ValueError: as `check_map_pool`.
    """
    pool = global_pool if global_pool is not None else present or ("avg" if num_classes else "")
    check_map_pool(pool, num_classes)
    return pool


class TokenPool(nn.Module):
    """(B, N, C) -> (B, C): the average or maximum over tokens, the mean of both, or the tokens as they are.

    Args:
        kind: avg, max, avgmax, or "" for (B, N, C) -> (B, N, C).

    Raises:
        ValueError: the kind is another one.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        if kind not in POOLS:
            raise ValueError(f"global_pool must be avg, max, avgmax or '' (no class token), got {kind!r}")
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, C), or (B, N, C)."""
        return x.mean(dim=1) if self.kind == "avg" else global_pool_nlc(x, self.kind, num_prefix_tokens=0)

    def extra_repr(self) -> str:
        """Return what nn.Module prints of this module in addition to its submodules."""
        return f"kind={self.kind!r}"
