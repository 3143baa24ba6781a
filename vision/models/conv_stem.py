"""A convolutional stem for a ViT: small convolutions and max pools instead of one linear map per patch.

>>> import torch
>>> ConvStem(32, 4, in_chans=3, embed_dim=64)(torch.zeros(2, 3, 32, 32)).shape
torch.Size([2, 64, 64])
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision.patches import Size, check_images, images_to_tokens, padding_of, pair, patch_grid


class ConvStem(nn.Module):
    """(B, C, H, W) -> (B, N, embed_dim): 3 x 3 convolutions, each with ReLU and a max pool of stride 2.

    The tokenizer of CCT (Hassani et al., 2021), which has as many tokens as patches of side 2 ** n after n
    convolutions. Its tokens overlap, other than patches. All convolutions but the last have half the width.

    Args:
        img_size: height and width in pixels, or one number for both; forward accepts no other size.
        patch_size: pixels per token and side, 2 ** n for n convolutions; must divide the image.
        in_chans: channels of the images.
        embed_dim: width of a token.
        dynamic_img_pad: as in `PatchEmbed`.

    Raises:
        ValueError: patch_size is not 2, 4, 8 and so on, or does not divide the image.
    """

    def __init__(
        self,
        img_size: Size,
        patch_size: Size,
        in_chans: int = 3,
        embed_dim: int = 64,
        *,
        dynamic_img_pad: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        side, other = pair(patch_size)
        depth = side.bit_length() - 1
        if side != other or side < 2 or side != 2**depth:
            raise ValueError(
                f"patch_size must be a power of two, at least 2, with a convolutional stem: each of its "
                f"max pools halves the sides; got {patch_size=}"
            )
        self.grid, self.patch_size = patch_grid(img_size, patch_size, pad=dynamic_img_pad), side
        self.padding = padding_of(img_size, patch_size)
        self.shape = (in_chans, *pair(img_size))
        widths = [in_chans, *[max(1, embed_dim // 2)] * (depth - 1), embed_dim]
        self.layers = nn.Sequential()
        for width, wider in pairwise(widths):
            self.layers.append(_layer(width, wider, **dd))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, embed_dim).

        Raises:
            ValueError: the images do not have the channels and size that the module was built for.
        """
        images = check_images(images, self.shape)
        if self.padding != (0, 0):
            images = F.pad(images, (0, self.padding[1], 0, self.padding[0]))
        return images_to_tokens(self.layers(images))


def _layer(in_chans: int, width: int, **dd: Any) -> nn.Sequential:
    conv = nn.Conv2d(in_chans, width, 3, padding=1, bias=False, **dd)
    nn.init.kaiming_normal_(conv.weight)
    return nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1))


# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("check_images")
