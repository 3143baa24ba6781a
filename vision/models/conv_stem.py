"""A convolutional stem for a ViT: small convolutions and max pools instead of one linear map per patch.

>>> import torch
>>> ConvStem(32, 4, in_chans=3, embed_dim=64)(torch.zeros(2, 3, 32, 32)).shape
torch.Size([2, 64, 64])
"""

from itertools import pairwise
from typing import Unpack

from torch import Tensor, nn

from vision.device_dtype import DeviceDtype
from vision.patches import Size, Stem, images_to_tokens, pair


class ConvStem(Stem):
    """(B, C, H, W) -> (B, N, embed_dim): 3 x 3 convolutions, each with ReLU and a max pool of stride 2.

    The tokenizer of CCT (Hassani et al., 2021), which has as many tokens as patches of side 2 ** n after n
    convolutions. Its tokens overlap, other than patches. All convolutions but the last have half the width.
    The arguments are those of `Stem`.

    Raises:
        ValueError: patch_size is not 2, 4, 8 and so on, or does not divide the image.
    """

    def add_layers(self, patch_size: Size, in_chans: int, embed_dim: int, **dd: Unpack[DeviceDtype]) -> None:
        """Add `layers`, one convolution for each time that the patch is halved."""
        side, other = pair(patch_size)
        depth = side.bit_length() - 1
        if side != other or side < 2 or side != 2**depth:
            raise ValueError(
                f"patch_size must be a power of two, at least 2, with a convolutional stem: each of its "
                f"max pools halves the sides; got {patch_size=}"
            )
        self.patch_size = side
        widths = [in_chans, *[max(1, embed_dim // 2)] * (depth - 1), embed_dim]
        self.layers = nn.Sequential()
        for width, wider in pairwise(widths):
            self.layers.append(_layer(width, wider, **dd))

    def embed(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, embed_dim)."""
        return images_to_tokens(self.layers(images))


def _layer(in_chans: int, width: int, **dd: Unpack[DeviceDtype]) -> nn.Sequential:
    conv = nn.Conv2d(in_chans, width, 3, padding=1, bias=False, **dd)
    nn.init.kaiming_normal_(conv.weight)
    return nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1))
