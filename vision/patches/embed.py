"""The stem of ViT: one linear map on every patch.

>>> PatchEmbed(32, 4)(torch.zeros(2, 3, 32, 32)).shape
torch.Size([2, 64, 64])
"""

from typing import Unpack

import torch
import torch.fx
from torch import Tensor, nn

from vision.device_dtype import DeviceDtype
from vision.patches.grid import Size, pair
from vision.patches.patchify import patchify
from vision.patches.stem import Stem

# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("patchify")


class PatchEmbed(Stem):
    """(B, C, H, W) -> (B, N, embed_dim): one linear map on every flattened patch.

    The stem of ViT (Dosovitskiy et al., 2021). Its weight, reshaped to (embed_dim, C, rows, cols) of a patch,
    is the weight of the equivalent strided convolution. The arguments are those of `Stem`.
    """

    def add_layers(self, patch_size: Size, in_chans: int, embed_dim: int, **dd: Unpack[DeviceDtype]) -> None:
        """Add `proj`."""
        rows, cols = pair(patch_size)
        self.proj = nn.Linear(in_chans * rows * cols, embed_dim, **dd)

    def embed(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, embed_dim)."""
        return self.proj(patchify(images, self.patch_size))
