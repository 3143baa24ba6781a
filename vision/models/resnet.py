"""ResNet for small images: timm's, with a 3 x 3 stem of stride 1 and no pooling after it.

>>> import timm, torch
>>> timm.create_model("resnet18_small")(torch.zeros(1, 3, 32, 32)).shape
torch.Size([1, 10])
"""

from typing import Any

from timm.models.resnet import ResNet
from torch import nn

from vision.device_dtype import DeviceDtype
from vision.dynamic import Arguments
from vision.models.pool import check_map_pool, map_pool


class SmallImageResNet(ResNet):
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
