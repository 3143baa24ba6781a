"""One backbone of pre-norm blocks over patch tokens; what mixes the tokens is a parameter.

>>> import torch
>>> Backbone(img_size=8, patch_size=1, in_chans=1, mixer="convolution")(torch.zeros(2, 1, 8, 8)).shape
torch.Size([2, 10])
"""

from collections.abc import Iterator
from typing import ClassVar, Unpack, cast

import torch
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from vision.argument_types import checked
from vision.device_dtype import DeviceDtype
from vision.dynamic import Arguments
from vision.mixers import create_mixer
from vision.models.any_size import check_img_size
from vision.models.backbone_widths import solve_widths
from vision.models.block import Block
from vision.models.bounds import check_bounds
from vision.models.conv_stem import ConvStem
from vision.models.dynamic_size import check_any_grid
from vision.models.input_size import set_input_size
from vision.models.intermediates import Indices, check_format, run, run_and_keep
from vision.models.place_position import place_position
from vision.models.pool import TokenPool
from vision.patches import Grid, PatchEmbed, Size, Stem, pair, tokens_to_images
from vision.positions import create_position

STEMS: dict[str, type[Stem]] = {"patches": PatchEmbed, "convolutions": ConvStem}


class Backbone(nn.Module):
    """(B, C, H, W) -> (B, num_classes): patch tokens, blocks with any token mixer, mean, linear head.

    With mixer "self_attention" this is ViT (Dosovitskiy et al., 2021) without a class token. With any other
    mixer only the fields change: the comparison of MetaFormer (Yu et al., 2022).

    Args:
        img_size: height and width of the images in pixels, or one number for both.
        patch_size: height and width of a patch in pixels, or one number for both.
        dynamic_img_pad: pad images with zeros to a multiple of the patch, which must divide them otherwise.
        dynamic_img_size: accept images of any size, as timm's ViTs do. Fields are those of the image's grid,
            and learned positions are resized in each forward pass. Otherwise only those of img_size.
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
        ValueError: the mixer, position or stem is unknown; the patch does not divide the image; no width
            gives `params` parameters; or the mixer is for one size with dynamic_img_size.
    """

    _traits: ClassVar = {"first_conv": None}  # timm's loader leaves the stem to `checkpoint_filter_fn`

    @checked
    def __init__(
        self,
        *,
        img_size: Size = 32,
        patch_size: Size = 4,
        dynamic_img_pad: bool = False,
        dynamic_img_size: bool = False,
        stem: str = "patches",
        in_chans: int = 3,
        num_classes: int = 10,
        global_pool: str = "avg",
        embed_dim: int = 64,
        depth: int = 4,
        mlp_ratio: float = 4.0,
        params: int | None = None,
        mixer: str = "self_attention",
        mixer_options: Arguments | None = None,
        alternate_options: Arguments | None = None,
        pos_embed: str = "none",
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_img_size(img_size)
        check_bounds(in_chans=in_chans, num_classes=num_classes, embed_dim=embed_dim, depth=depth)
        check_bounds(params=params, drop_rate=drop_rate, drop_path_rate=drop_path_rate)
        if mlp_ratio <= 0:
            raise ValueError(f"mlp_ratio must be above 0, got {mlp_ratio}")
        options, added = place_position(pos_embed, mixer, mixer_options or {})
        self.arguments: Arguments = {
            "img_size": img_size,
            "patch_size": patch_size,
            "stem": stem,
            "in_chans": in_chans,
            **({"dynamic_img_pad": True} if dynamic_img_pad else {}),
            **({"dynamic_img_size": True} if dynamic_img_size else {}),
            "mixer": mixer,
            "mixer_options": options,
            "alternate_options": alternate_options,
            "embed_dim": embed_dim,
            "depth": depth,
            "mlp_ratio": mlp_ratio,
            "pos_embed": added,
            "drop_rate": drop_rate,
            "drop_path_rate": drop_path_rate,
            "num_classes": num_classes,
            "global_pool": global_pool,
        }
        if params is not None:
            self.arguments |= solve_widths(Backbone, params, self.arguments)
        dd: DeviceDtype = {"device": device, "dtype": dtype}
        embed_dim = self.arguments["embed_dim"]

        self.num_classes, self.in_chans, self.global_pool = num_classes, in_chans, global_pool
        self.num_features = self.head_hidden_size = self.embed_dim = embed_dim
        self.grad_checkpointing = False
        dynamic = {"dynamic_img_pad": dynamic_img_pad, "dynamic_img_size": dynamic_img_size}
        self.patch_embed = _stem(stem)(img_size, patch_size, in_chans, embed_dim, **dynamic, **dd)
        self.dynamic_img_size = dynamic_img_size
        if dynamic_img_size:
            check_any_grid(mixer, embed_dim, self.grid, options, alternate_options or {})
        self.pos_embed = create_position(added, self.grid, embed_dim, **dd)
        self.blocks = nn.Sequential(*self._blocks(**dd))
        reduction = max(pair(patch_size))
        self.feature_info = [
            {"num_chs": embed_dim, "reduction": reduction, "module": f"blocks.{i}"} for i in range(depth)
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
        grid = self.patch_embed.grid_of(x) if self.dynamic_img_size else None
        x = self._tokens(x, grid)
        return self.norm(run(self.blocks, x, recompute=self.grad_checkpointing, grid=grid))

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
        indices: Indices = None,
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
        check_format(output_fmt, "NCHW", "NLC")
        grid = self.patch_embed.grid_of(x) if self.dynamic_img_size else None
        options: Arguments = {"stop_early": stop_early, "recompute": self.grad_checkpointing}
        x, features = run_and_keep(self.blocks, self._tokens(x, grid), indices, **options, grid=grid)
        if norm:
            features = [self.norm(tokens) for tokens in features]
        if output_fmt == "NCHW":
            features = [tokens_to_images(tokens, grid or self.grid) for tokens in features]
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
        dd = self.like()
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
        set_input_size(self, img_size, patch_size)

    def no_weight_decay(self) -> set[str]:
        """Return the names of the parameters without weight decay, besides norms and biases."""
        parts = ("pos_embed", "relative_bias", "centres")
        return {name for name, _ in self.named_parameters() if any(part in name for part in parts)}

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:
        """Return timm's grouping of parameters into layers."""
        return {
            "stem": r"^patch_embed|^pos_embed",
            "blocks": [(r"^blocks\.(\d+)", None), (r"^norm", (99999,))],
        }

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute activations in the backward pass instead of keeping them."""
        self.grad_checkpointing = enable

    def _tokens(self, images: Tensor, grid: Grid | None) -> Tensor:
        """(B, C, H, W) -> (B, N, C): with their positions on the grid, None for that of the constructor."""
        x = self.patch_embed(images)
        fixed = grid is None or isinstance(self.pos_embed, nn.Identity)
        return self.pos_embed(x) if fixed else self.pos_embed(x, grid)

    def _blocks(self, **dd: Unpack[DeviceDtype]) -> Iterator[Block]:
        own = self.arguments
        options: Arguments = own["mixer_options"]
        alternate: Arguments = {**options, **(own["alternate_options"] or {})}
        mlp_dim = round(self.embed_dim * own["mlp_ratio"])
        for i, rate in enumerate(torch.linspace(0, own["drop_path_rate"], own["depth"], device="cpu")):
            mixer = create_mixer(
                own["mixer"], self.embed_dim, self.grid, **(alternate if i % 2 else options), **dd
            )
            yield Block(self.embed_dim, mixer, mlp_dim=mlp_dim, drop_path=float(rate), **dd)

    def like(self) -> DeviceDtype:
        """Return device and dtype of the weights."""
        weight = next(self.patch_embed.parameters())
        return {"device": weight.device, "dtype": weight.dtype}


def _stem(name: str) -> type[Stem]:
    if name not in STEMS:
        raise ValueError(f"stem must be one of {', '.join(STEMS)}; got {name!r}")
    return STEMS[name]


def _init_weights(module: nn.Module) -> None:
    # Xavier, as in ViT's own code: 0.02 is made for wider models and slows down one of 64 channels.
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if (bias := cast(Tensor | None, module.bias)) is not None:
            nn.init.zeros_(bias)
