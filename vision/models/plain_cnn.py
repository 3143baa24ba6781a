"""A plain CNN for small images: 3 x 3 convolutions with batch norm, and max pools between stages.

>>> import timm, torch, vision
>>> timm.create_model("plain_cnn")(torch.zeros(1, 3, 32, 32)).shape
torch.Size([1, 10])
"""

from typing import Unpack

import torch
import torch.fx
from timm.layers.classifier import ClassifierHead
from timm.layers.conv_bn_act import ConvNormAct
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from vision.argument_types import checked
from vision.device_dtype import DeviceDtype
from vision.models.any_size import AnySize
from vision.models.bounds import check_bounds
from vision.models.intermediates import Indices, check_format, run, run_and_keep
from vision.models.pool import check_map_pool, map_pool
from vision.models.timm_model import FeatureInfo
from vision.patches import check_images

# Symbolic tracing records a call of it, as its check cannot be traced.
torch.fx.wrap("check_images")


class PlainCNN(AnySize, nn.Module):
    """(B, C, H, W) -> (B, num_classes): a pyramid of convolutions, global average pool, linear head.

    The design is VGG's (Simonyan and Zisserman, 2015) with batch norm (Ioffe and Szegedy, 2015) and a global
    average pool (Lin et al., 2014). Each convolution is 3 x 3 and is followed by batch norm and ReLU. A 2 x 2
    max pool stands before each stage but the first.

    Args:
        in_chans: channels of the images.
        num_classes: width of the head; 0 returns the pooled features.
        channels: width of each stage.
        layers: number of convolutions of each stage.
        global_pool: pooling before the head, by timm's names; "" returns the last stage's maps, without a
            head.
        drop_rate: dropout before the head.

    Raises:
        ValueError: channels and layers have different lengths, the pool is unknown, or it is "" and
            num_classes is not 0.
    """

    @checked
    def __init__(
        self,
        *,
        in_chans: int = 3,
        num_classes: int = 10,
        channels: tuple[int, ...] = (32, 64, 128),
        layers: tuple[int, ...] = (2, 2, 2),
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if len(channels) != len(layers):
            raise ValueError(f"channels and layers must have one entry per stage, got {channels=}, {layers=}")
        check_bounds(in_chans=in_chans, num_classes=num_classes, drop_rate=drop_rate)
        if min(*channels, *layers, 1) < 1:
            raise ValueError(f"channels and layers must be at least 1, got {channels=}, {layers=}")
        check_map_pool(global_pool, num_classes)
        dd: DeviceDtype = {"device": device, "dtype": dtype}
        self.num_classes, self.in_chans = num_classes, in_chans
        self.num_features = self.head_hidden_size = channels[-1]
        self.grad_checkpointing = False
        self.stages = nn.Sequential()
        self.feature_info: list[FeatureInfo] = []
        for i, (width, depth) in enumerate(zip(channels, layers, strict=True)):
            below = channels[i - 1] if i else in_chans
            self.stages.append(_stage(below, width, depth, pool=i > 0, **dd))
            self.feature_info.append({"num_chs": width, "reduction": 2**i, "module": f"stages.{i}"})
        self.head = ClassifierHead(
            channels[-1], num_classes, pool_type=global_pool, drop_rate=drop_rate, **dd
        )
        self.apply(_init_weights)

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_features, rows, cols): the maps of the last stage."""
        return run(self.stages, check_images(x, (self.in_chans,)), recompute=self.grad_checkpointing)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """(B, num_features, rows, cols) -> (B, num_classes), or (B, num_features) with `pre_logits`."""
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes): the logits."""
        return self.forward_head(self.forward_features(x))

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
        """(B, C, H, W) -> the maps of the last stage, and those of each stage of `indices`.

        Args:
            x: images.
            indices: the last so many stages, the stages of these numbers, or all.
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
        x, kept = run_and_keep(
            self.stages, x, indices, stop_early=stop_early, recompute=self.grad_checkpointing
        )
        return kept if intermediates_only else (x, kept)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop what the intermediates of `indices` do not need; return these indices."""
        take, last = feature_take_indices(len(self.stages), indices)
        shortened = last + 1 < len(self.stages)
        self.stages = self.stages[: last + 1]
        if shortened:
            self.num_features = self.head_hidden_size = self.feature_info[last]["num_chs"]
            self.head.in_features = self.num_features
        if prune_head or shortened:
            self.reset_classifier(0, "")
        return take

    def get_classifier(self) -> nn.Module:
        """Return the head's linear layer."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the head by a new one with `num_classes` outputs, of the same device and dtype.

        Args:
            num_classes: width of the head; 0 removes it.
            global_pool: as in the constructor; None keeps the present one, but for a head "" becomes avg.

        Raises:
            ValueError: the pool is unknown, or it is "" and num_classes is not 0.
        """
        pool = map_pool(global_pool, self.head.global_pool.pool_type, num_classes)
        self.num_classes = num_classes
        self.head.reset(num_classes, pool_type=pool)  # pyright: ignore[reportUnknownMemberType]
        like = next(self.stages.parameters())
        self.head.to(like.device, like.dtype).train(self.training)

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:
        """Return timm's grouping of parameters into layers."""
        return {"stem": r"^stages\.0\.0", "blocks": r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"}

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute activations in the backward pass instead of keeping them."""
        self.grad_checkpointing = enable


def _stage(in_chans: int, width: int, depth: int, *, pool: bool, **dd: Unpack[DeviceDtype]) -> nn.Sequential:
    stage = nn.Sequential(*([nn.MaxPool2d(2)] if pool else []))
    for i in range(depth):
        stage.append(ConvNormAct(width if i else in_chans, width, 3, **dd))
    return stage


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
