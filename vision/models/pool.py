"""The pool of a backbone: from one vector per token to one per image.

>>> import torch
>>> TokenPool("avg")(torch.zeros(2, 64, 16)).shape
torch.Size([2, 16])
"""

from timm.layers.pool1d import global_pool_nlc
from torch import Tensor, nn

POOLS = ("avg", "max", "avgmax", "")


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
