"""Padding of images by (before, after) on each axis.

>>> Padding([(0, 1), (2, 2)])(torch.zeros(1, 3, 4, 4)).shape
torch.Size([1, 3, 5, 8])
"""

from collections.abc import Sequence

from torch import Tensor, nn


class Padding(nn.Module):
    """(B, C, *size) -> (B, C, *padded size): F.pad by (before, after) on each axis.

    Args:
        pads: (before, after) on each axis.
        padding_mode: as in nn.Conv2d.
        value: the value of the padding where padding_mode is "zeros".
    """

    def __init__(
        self, pads: Sequence[tuple[int, int]], padding_mode: str = "zeros", value: float = 0.0
    ) -> None:
        super().__init__()
        self.pads, self.padding_mode, self.value = tuple(pads), padding_mode, value

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *size) -> (B, C, *padded size)."""
        return pad(x, self.pads, self.padding_mode, self.value)


def pad(
    x: Tensor, pads: Sequence[tuple[int, int]], padding_mode: str = "zeros", value: float = 0.0
) -> Tensor:
    """(B, C, *size) -> (B, C, *padded size): F.pad, which starts with the last axis and has other names."""
    sides = [side for before_after in reversed(pads) for side in before_after]
    if padding_mode == "zeros":
        return nn.functional.pad(x, sides, value=value)
    return nn.functional.pad(x, sides, padding_mode)
