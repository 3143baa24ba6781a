"""ResNet for small images: timm's, with a 3 x 3 stem of stride 1 and no pooling after it.

>>> import timm, torch
>>> timm.create_model("resnet18_small")(torch.zeros(1, 3, 32, 32)).shape
torch.Size([1, 10])
"""

from typing import Any

import torch
import torch.fx
from timm.models.resnet import ResNet
from torch import Tensor, nn

from vision.argument_types import checked
from vision.device_dtype import DeviceDtype
from vision.dynamic import Arguments
from vision.models.any_size import AnySize
from vision.models.bounds import check_bounds
from vision.models.intermediates import Indices, check_format
from vision.models.pool import check_map_pool, map_pool
from vision.patches import check_images

# Symbolic tracing records a call of it, as its check cannot be traced.
torch.fx.wrap("check_images")


class SmallImageResNet(AnySize, ResNet):
    """timm's ResNet with the stem of He et al. (2016), section 4.2, for images of about 32 x 32 pixels.

    The usual stem divides the sides of the image by 4 before the first block: 32 x 32 pixels end as 1 x 1.
    With this stem they end as 4 x 4.

    Args:
        block: timm's block.
        layers: blocks of each stage.
        in_chans: channels of the images.
        stem_width: half of the stem's width, as in timm's deep stems.
        global_pool: avg, max, avgmax or catavgmax; "" returns maps, without a head.
        num_classes: width of the head; 0 returns the pooled features.
        kwargs: further arguments of timm's ResNet.

    Raises:
        ValueError: the pool is unknown, or it is "" and num_classes is not 0.
    """

    @checked
    def __init__(
        self,
        block: Any,
        layers: tuple[int, ...],
        in_chans: int = 3,
        stem_width: int = 32,
        global_pool: str = "avg",
        num_classes: int = 1000,
        **kwargs: Any,
    ) -> None:
        check_bounds(in_chans=in_chans, num_classes=num_classes, **kwargs)
        check_map_pool(global_pool, num_classes)
        # Only timm's deep stems can have another width than 64. Its convolutions are replaced below.
        kwargs |= {"stem_type": "deep", "stem_width": stem_width}
        kwargs |= {"global_pool": global_pool, "num_classes": num_classes}
        super().__init__(block, layers, in_chans=in_chans, **kwargs)  # pyright: ignore[reportUnknownMemberType]
        dd: DeviceDtype = {"device": kwargs.get("device"), "dtype": kwargs.get("dtype")}
        self.conv1 = nn.Conv2d(in_chans, 2 * stem_width, 3, padding=1, bias=False, **dd)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.maxpool = nn.Identity()
        stages: list[Arguments] = self.feature_info
        for info in stages:
            info["reduction"] = max(1, info["reduction"] // 4)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the head by a new one with `num_classes` outputs, as timm's ResNet does.

        Args:
            num_classes: width of the head; 0 removes it.
            global_pool: as in the constructor; None keeps the present one, but for a head "" becomes avg.

        Raises:
            ValueError: the pool is unknown, or it is "" and num_classes is not 0.
        """
        pool = map_pool(global_pool, self.global_pool.pool_type, num_classes)
        super().reset_classifier(num_classes, pool)  # pyright: ignore[reportUnknownMemberType]

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_features, rows, cols): the maps of the last stage.

        Raises:
            ValueError: the images have other channels.
        """
        return super().forward_features(check_images(x, (self.in_chans,)))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: Indices = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
        *,
        return_prefix_tokens: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """(B, C, H, W) -> the maps of the last stage, and those of each level of `indices`, as timm's ResNet.

        Args:
            x: images.
            indices: the last so many levels, the levels of these numbers, or all.
            norm: has no effect; the model has no norm after its last stage.
            stop_early: leave out the stages after the last that is asked for.
            output_fmt: NCHW.
            intermediates_only: return the list alone.
            return_prefix_tokens: has no effect; the model has none.

        Raises:
            ValueError: another output_fmt.
        """
        check_format(output_fmt, "NCHW")
        x = check_images(x, (self.in_chans,))
        return super().forward_intermediates(x, indices, norm, stop_early, output_fmt, intermediates_only)
