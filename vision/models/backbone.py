"""One backbone of pre-norm blocks over patch tokens; what mixes the tokens is a parameter.

>>> import torch
>>> Backbone(img_size=8, patch_size=1, in_chans=1, mixer="convolution")(torch.zeros(2, 1, 8, 8)).shape
torch.Size([2, 10])
"""

from math import lcm
from typing import Any, ClassVar, cast

import torch
from timm.models import (
    checkpoint,  # pyright: ignore[reportUnknownVariableType]
    checkpoint_seq,  # pyright: ignore[reportUnknownVariableType]
)
from timm.models._features import feature_take_indices
from timm.models._input import update_model_input_size
from torch import Tensor, nn

from vision.mixers import create_mixer, option_names
from vision.models.block import Block
from vision.models.conv_stem import ConvStem
from vision.models.pool import TokenPool
from vision.models.resizing import give_weights
from vision.models.widths import Widths, fit_widths
from vision.patches import Grid, PatchEmbed, Size, pair
from vision.positions import POSITIONS, create_position

STEMS = {"patches": PatchEmbed, "convolutions": ConvStem}
# Positions inside attention, and the option of the mixer that turns each on.
_INSIDE = {"relative": "relative_bias", "quadratic": "quadratic_bias", "rotary": "rotary"}


class Backbone(nn.Module):
    """(B, C, H, W) -> (B, num_classes): patch tokens, blocks with any token mixer, mean, linear head.

    With mixer "self_attention" this is ViT (Dosovitskiy et al., 2021) without a class token. With any other
    mixer only the fields change: the comparison of MetaFormer (Yu et al., 2022).

    Args:
        img_size: height and width of the images in pixels, or one number for both.
        patch_size: height and width of a patch in pixels, or one number for both.
        dynamic_img_pad: pad images with zeros to a multiple of the patch, which must divide them otherwise.
        stem: "patches" maps each patch linearly to a token; "convolutions" is CCT's stem, `ConvStem`.
        in_chans: channels of the images.
        num_classes: width of the head; 0 returns the pooled features.
        global_pool: avg, max or avgmax of the tokens before the head, or "" for a head on every token.
        embed_dim: width of a token.
        depth: number of blocks.
        mlp_ratio: width of the MLP's hidden layer over embed_dim.
        params: number of parameters to aim for, instead of embed_dim; see `solve_widths`.
        mixer: name of the token mixer, one of `vision.mixers.mixer_names()`.
        mixer_options: arguments of the mixer, such as num_heads or kernel_size.
        alternate_options: those that differ in every second block, such as {"shift": 2} for Swin's windows.
        pos_embed: none; learned, sinusoidal or conditional, which are added to the tokens; or relative,
            quadratic or rotary, which work inside the attention of a mixer that supports them.
        drop_rate: dropout before the head.
        drop_path_rate: stochastic depth of the last block; it grows linearly from 0 at the first.

    Attributes:
        arguments: those of the constructor, with the widths that were solved; without device and dtype.

    Raises:
        ValueError: the mixer, position or stem is unknown, the patch does not divide the image, or no width
            gives `params` parameters.
    """

    _traits: ClassVar = {"first_conv": None}  # timm's loader leaves the stem to `checkpoint_filter_fn`

    def __init__(
        self,
        *,
        img_size: Size = 32,
        patch_size: Size = 4,
        dynamic_img_pad: bool = False,
        stem: str = "patches",
        in_chans: int = 3,
        num_classes: int = 10,
        global_pool: str = "avg",
        embed_dim: int = 64,
        depth: int = 4,
        mlp_ratio: float = 4.0,
        params: int | None = None,
        mixer: str = "self_attention",
        mixer_options: dict[str, Any] | None = None,
        alternate_options: dict[str, Any] | None = None,
        pos_embed: str = "none",
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        options, added = _place_position(pos_embed, mixer, mixer_options or {})
        alternate = {**options, **(alternate_options or {})}
        images = {"img_size": img_size, "patch_size": patch_size, "stem": stem, "in_chans": in_chans}
        if dynamic_img_pad:
            images["dynamic_img_pad"] = True
        mixing = {"mixer": mixer, "mixer_options": options, "alternate_options": alternate_options}
        if params is not None:
            rest = {"num_classes": num_classes, "depth": depth, "pos_embed": added}
            embed_dim, mlp_ratio = solve_widths(params, mlp_ratio=mlp_ratio, **images, **mixing, **rest)
        sizes = {"embed_dim": embed_dim, "depth": depth, "mlp_ratio": mlp_ratio, "pos_embed": added}
        rates = {"drop_rate": drop_rate, "drop_path_rate": drop_path_rate}
        head = {"num_classes": num_classes, "global_pool": global_pool}
        self.arguments: dict[str, Any] = {**images, **mixing, **sizes, **rates, **head}
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        mlp_dim = round(embed_dim * mlp_ratio)

        self.num_classes, self.in_chans, self.global_pool = num_classes, in_chans, global_pool
        self.num_features = self.head_hidden_size = self.embed_dim = embed_dim
        self.grad_checkpointing = False
        self.patch_embed = _stem(stem)(
            img_size, patch_size, in_chans, embed_dim, dynamic_img_pad=dynamic_img_pad, **dd
        )
        self.pos_embed = create_position(added, self.grid, embed_dim, **dd)
        self.blocks = nn.Sequential()
        for i, rate in enumerate(torch.linspace(0, drop_path_rate, depth, device="cpu")):
            mixer_i = create_mixer(mixer, embed_dim, self.grid, **(alternate if i % 2 else options), **dd)
            self.blocks.append(Block(embed_dim, mixer_i, mlp_dim=mlp_dim, drop_path=float(rate), **dd))
        self.feature_info = [
            {"num_chs": embed_dim, "reduction": max(pair(patch_size)), "module": f"blocks.{i}"}
            for i in range(depth)
        ]
        self.norm = nn.LayerNorm(embed_dim, **dd)
        self.pool = TokenPool(global_pool)
        self.head_drop = nn.Dropout(drop_rate)
        self.head = nn.Linear(embed_dim, num_classes, **dd) if num_classes else nn.Identity()
        self.apply(_init_weights)

    @property
    def grid(self) -> Grid:
        """Grid of the tokens."""
        return self.patch_embed.grid

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, C): tokens after the last block and norm."""
        x = self.pos_embed(self.patch_embed(x))
        x = cast(Tensor, checkpoint_seq(self.blocks, x)) if self.grad_checkpointing else self.blocks(x)
        return self.norm(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """(B, N, C) -> (B, num_classes), or (B, C) with `pre_logits`; with global_pool "" (B, N, ...)."""
        x = self.head_drop(self.pool(x))
        return x if pre_logits else self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes): the logits."""
        return self.forward_head(self.forward_features(x))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        return_prefix_tokens: bool = False,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """(B, C, H, W) -> (B, N, C) of `forward_features`, and (B, C, rows, cols) of each chosen block.

        Args:
            x: images.
            indices: the last n blocks for an int n, the blocks with these indices, or None for all.
            return_prefix_tokens: has no effect, as in timm's ViTs without a class token.
            norm: apply the last norm to the tokens of every chosen block.
            stop_early: skip the blocks after the last chosen one.
            output_fmt: NCHW, or NLC for (B, N, C).
            intermediates_only: return the list alone.
        """
        if output_fmt not in ("NCHW", "NLC"):
            raise ValueError(f"output_fmt must be NCHW or NLC, got {output_fmt!r}")
        chosen, last = feature_take_indices(len(self.blocks), indices)
        features: list[Tensor] = []
        x = self.pos_embed(self.patch_embed(x))
        for i, block in enumerate(self.blocks[: last + 1] if stop_early else self.blocks):
            x = cast(Tensor, checkpoint(block, x)) if self.grad_checkpointing else block(x)
            if i in chosen:
                features.append(self.norm(x) if norm else x)
        if output_fmt == "NCHW":
            features = [f.transpose(1, 2).unflatten(2, (self.grid.rows, self.grid.cols)) for f in features]
        return features if intermediates_only else (self.norm(x), features)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Remove what the intermediates of `indices` do not need, and return the blocks' indices."""
        chosen, last = feature_take_indices(len(self.blocks), indices)
        self.blocks = self.blocks[: last + 1]
        if prune_norm:
            self.norm = nn.Identity()
        if prune_head:
            self.reset_classifier(0)
        return chosen

    def get_classifier(self) -> nn.Module:
        """Return the head."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the head by a new one with `num_classes` outputs, of the same device and dtype.

        Args:
            num_classes: width of the head; 0 removes it.
            global_pool: as in the constructor; None keeps the present one.
        """
        if global_pool is not None:
            self.pool, self.global_pool = TokenPool(global_pool).train(self.training), global_pool
        self.num_classes = num_classes
        self.arguments |= {"num_classes": num_classes, "global_pool": self.global_pool}
        dd = self._like()
        self.head = nn.Linear(self.num_features, num_classes, **dd) if num_classes else nn.Identity()
        self.head.apply(_init_weights).train(self.training)

    def set_input_size(self, img_size: Size | None = None, patch_size: Size | None = None) -> None:
        """Change the size of the images and patches, in place: positions are resized, patches resampled.

        Weights that do not depend on the size stay the same parameters.

        Args:
            img_size: height and width in pixels, or one number for both; None keeps them.
            patch_size: sides of a patch in pixels, or one number for both; None keeps them.

        Raises:
            ValueError: the patch does not divide the image, or the stem or mixer has another size for good.
        """
        given = {"img_size": img_size, "patch_size": patch_size}
        arguments = self.arguments | {key: size for key, size in given.items() if size is not None}
        other = type(self)(**arguments, **self._like())
        give_weights(self, other)
        self.arguments, self.patch_embed, self.pos_embed = arguments, other.patch_embed, other.pos_embed
        for block, new in zip(self.blocks, other.blocks, strict=False):
            cast(Any, block).mixer = cast(Any, new).mixer
        self.train(self.training)
        for info in self.feature_info:
            info["reduction"] = max(pair(self.patch_embed.patch_size))
        update_model_input_size(self, pair(arguments["img_size"]), patch_size=patch_size)

    def no_weight_decay(self) -> set[str]:
        """Return the names of the parameters without weight decay, besides norms and biases."""
        parts = ("pos_embed", "relative_bias", "centres")
        return {name for name, _ in self.named_parameters() if any(part in name for part in parts)}

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's grouping of parameters into layers."""
        return {
            "stem": r"^patch_embed|^pos_embed",
            "blocks": [(r"^blocks\.(\d+)", None), (r"^norm", (99999,))],
        }

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute activations in the backward pass instead of keeping them."""
        self.grad_checkpointing = enable

    def _like(self) -> dict[str, Any]:
        """Return device and dtype of the weights."""
        weight = next(self.patch_embed.parameters())
        return {"device": weight.device, "dtype": weight.dtype}


def solve_widths(params: int, *, mlp_ratio: float = 4.0, **arguments: Any) -> tuple[int, float]:
    """Return the embed_dim and mlp_ratio at which a Backbone has `params` parameters, within 2 percent.

    Args:
        params: number of parameters.
        mlp_ratio: wanted ratio; the solved one comes as near as embed_dim, a multiple of 8, allows.
        arguments: the other arguments of `Backbone`.

    Raises:
        ValueError: no width gives that number.
    """

    def count(widths: Widths) -> int:
        ratio = widths.mlp_dim / widths.embed_dim
        model = Backbone(embed_dim=widths.embed_dim, mlp_ratio=ratio, device="meta", **arguments)
        return sum(p.numel() for p in model.parameters())

    options: dict[str, Any] = arguments.get("mixer_options") or {}
    multiple = lcm(options.get("num_heads", 1), options.get("groups", 1))
    embed_dim, mlp_dim = fit_widths(count, params, mlp_ratio=mlp_ratio, multiple=multiple)
    return embed_dim, mlp_dim / embed_dim


def _stem(name: str) -> type[PatchEmbed] | type[ConvStem]:
    if name not in STEMS:
        raise ValueError(f"stem must be one of {', '.join(STEMS)}; got {name!r}")
    return STEMS[name]


def _place_position(pos_embed: str, mixer: str, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the mixer's options, with a position inside attention turned on, and the position to add."""
    if pos_embed in POSITIONS:
        return options, pos_embed
    if pos_embed not in _INSIDE:
        known = ", ".join((*POSITIONS, *_INSIDE))
        raise ValueError(f"pos_embed must be one of {known}; got {pos_embed!r}")
    option = _INSIDE[pos_embed]
    if option not in option_names(mixer):
        raise ValueError(
            f"pos_embed={pos_embed!r} works inside attention, but mixer {mixer!r} has no option {option}"
        )
    return {**options, option: True}, "none"


def _init_weights(module: nn.Module) -> None:
    # Xavier, as in ViT's own code: 0.02 is made for wider models and slows down one of 64 channels.
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if (bias := cast(Tensor | None, module.bias)) is not None:
            nn.init.zeros_(bias)
