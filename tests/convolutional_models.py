"""Small convolutional models with one kind of layer each, and the product of the masks of fields."""

import torch
from torch import nn

from vision.fields import Field


def receptive_field(*layers: Field) -> torch.Tensor:
    """The product of the masks of layers, the first one first."""
    reached = layers[0].mask()
    for layer in layers[1:]:
        reached = (layer.mask().float() @ reached.float()) > 0
    return reached


class Residual(nn.Module):
    """A body beside a shortcut."""

    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class Gated(nn.Module):
    """Squeeze-and-excite: each channel scaled by what its mean over the image says."""

    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * nn.functional.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))


def conv(inputs, outputs, kernel=3, stride=1, **options):
    padding = options.pop("padding", kernel // 2 if isinstance(kernel, int) else 0)
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, **options)


def unit(inputs, outputs, kernel=3, stride=1, **options):
    return conv(inputs, outputs, kernel, stride, **options), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def residual_stride_2():
    body = nn.Sequential(*unit(4, 6, 3, 2), conv(6, 6), nn.BatchNorm2d(6))
    return nn.Sequential(*unit(3, 4), Residual(body, nn.Sequential(conv(4, 6, 1, 2), nn.BatchNorm2d(6))))


def trained(model):
    """With norms and biases that would leave every ReLU off."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            nn.init.constant_(module.running_mean, 3)
        if getattr(module, "bias", None) is not None:
            nn.init.constant_(module.bias, -2)
    return model


MODELS = {
    "chain": lambda: nn.Sequential(*unit(3, 4), *unit(4, 4, 5, 2), *unit(4, 4)),
    "dilated": lambda: nn.Sequential(conv(3, 4, dilation=2, padding=2), conv(4, 4, dilation=3, padding=3)),
    "grouped": lambda: nn.Sequential(conv(3, 6, groups=3), conv(6, 6, groups=6), conv(6, 4, 1)),
    "residual": residual_stride_2,
    "pools": lambda: nn.Sequential(*unit(3, 4), nn.MaxPool2d(3, 2, 1), conv(4, 4), nn.AvgPool2d(2)),
    "pre-activation": lambda: nn.Sequential(
        conv(3, 4), Residual(nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), conv(4, 4)))
    ),
    "bounded": lambda: nn.Sequential(*[Residual(nn.Sequential(conv(3, 3), nn.ReLU6())) for _ in range(4)]),
    "gated": lambda: nn.Sequential(conv(3, 4), Gated(4), conv(4, 4, stride=2)),
    "circular": lambda: nn.Sequential(
        conv(3, 4, padding_mode="circular"), conv(4, 4, padding_mode="reflect")
    ),
    "transposed": lambda: nn.Sequential(conv(3, 4, stride=2), nn.ConvTranspose2d(4, 4, 4, 2, 1)),
}
