# pyright: reportUnknownVariableType=false, reportArgumentType=false
"""A model in timm's registry: a convolution, pooling and a linear head."""

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

default_cfgs = generate_default_cfgs({"small_net": {"first_conv": "0", "classifier": "3"}})


class _SmallNet(nn.Sequential):
    def __init__(self, in_chans: int = 3, num_classes: int = 10, width: int = 32) -> None:
        layers = nn.Conv2d(in_chans, width, 3), nn.AdaptiveMaxPool2d(4), nn.Flatten()
        super().__init__(*layers, nn.Linear(16 * width, num_classes))
        self.num_classes, self.num_features = num_classes, 16 * width  # timm saves them


@register_model
def small_net(pretrained: bool = False, **kwargs: object) -> nn.Module:
    """Build the model (B, C, H, W) -> (B, num_classes)."""
    return build_model_with_cfg(_SmallNet, "small_net", pretrained, **kwargs)
