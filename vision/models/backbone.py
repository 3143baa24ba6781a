"""One backbone of pre-norm blocks over patch tokens; what mixes the tokens is a parameter.

>>> Backbone(img_size=8, patch_size=1, in_chans=1, mixer="convolution")(torch.zeros(2, 1, 8, 8)).shape
torch.Size([2, 10])
"""

from math import lcm
from typing import Any

import torch
from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from timm.models import checkpoint, checkpoint_seq
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from vision.mixers import create_mixer, option_names
from vision.models.widths import Widths, fit_widths
from vision.patches import PatchEmbed
from vision.positions import POSITIONS, create_position

# Positions that work inside attention, and the mixer's option that turns each on.
_INSIDE = {"relative": "relative_bias", "quadratic": "quadratic_bias", "rotary": "rotary"}


class Block(nn.Module):
    """(B, N, C) -> (B, N, C): token mixer, then MLP, each after a norm and around a residual."""

    def __init__(
        self, dim: int, mixer: nn.Module, *, mlp_dim: int, drop_path: float = 0.0, **dd: Any
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, **dd)
        self.mixer = mixer
        self.norm2 = nn.LayerNorm(dim, **dd)
        self.mlp = Mlp(dim, mlp_dim, **dd)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        x = x + self.drop_path(self.mixer(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Backbone(nn.Module):
    """(B, C, H, W) -> (B, num_classes): patch tokens, blocks with any token mixer, mean, linear head.

    With mixer "self_attention" this is ViT (Dosovitskiy et al., 2021) without a class token; with any other
    it is the same network but for who may attend to whom, which is MetaFormer's comparison (Yu et al., 2022).

    Args:
        img_size: height and width of the images in pixels, or one number for both.
        patch_size: side of a patch in pixels.
        in_chans: channels of the images.
        num_classes: width of the head; 0 leaves the pooled features.
        embed_dim: width of a token.
        depth: number of blocks.
        mlp_ratio: width of the MLP's hidden layer over embed_dim.
        params: number of parameters to aim for; embed_dim and the MLP's width are then solved for it.
        mixer: name of the token mixer, see `vision.mixers.mixer_names()`.
        mixer_options: the mixer's own arguments, as num_heads or kernel_size.
        alternate_options: what every second block has otherwise, as {"shift": 2} for Swin's windows.
        pos_embed: none; learned, sinusoidal or conditional, added to the tokens; or relative, quadratic or
            rotary, inside the attention of a mixer that has it.
        drop_rate: dropout before the head.
        drop_path_rate: stochastic depth of the last block; earlier ones take a linear share of it.

    Raises:
        ValueError: an unknown mixer or position, a patch that does not divide the image, or a number of
            parameters that no width meets.
    """

    def __init__(
        self,
        *,
        img_size: int | tuple[int, int] = 32,
        patch_size: int = 4,
        in_chans: int = 3,
        num_classes: int = 10,
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
        dd = {"device": device, "dtype": dtype}
        options = dict(mixer_options or {})
        if pos_embed not in (*POSITIONS, *_INSIDE):
            raise ValueError(
                f"pos_embed must be one of {', '.join((*POSITIONS, *_INSIDE))}; got {pos_embed!r}"
            )
        if pos_embed in _INSIDE:
            options, pos_embed = _inside(mixer, options, pos_embed), "none"
        every_other = {**options, **(alternate_options or {})}
        shape = {
            "img_size": img_size,
            "patch_size": patch_size,
            "in_chans": in_chans,
            "num_classes": num_classes,
        }
        inside = {
            "depth": depth,
            "mixer": mixer,
            "mixer_options": options,
            "alternate_options": alternate_options,
            "pos_embed": pos_embed,
        }
        widths = Widths(embed_dim, round(embed_dim * mlp_ratio))
        if params is not None:
            build = _counted(**shape, **inside)
            multiple = lcm(options.get("num_heads", 1), options.get("groups", 1))
            widths = fit_widths(build, params, mlp_ratio=mlp_ratio, multiple=multiple)
        dim = widths.embed_dim

        self.num_classes, self.in_chans = num_classes, in_chans
        self.num_features = self.head_hidden_size = self.embed_dim = dim
        self.grad_checkpointing = False
        self.patch_embed = PatchEmbed(img_size, patch_size, in_chans, dim, **dd)
        grid = self.patch_embed.grid
        self.pos_embed = create_position(pos_embed, grid, dim, **dd)
        rates = torch.linspace(0, drop_path_rate, depth, device="cpu").tolist()
        self.blocks = nn.Sequential(
            *(
                Block(
                    dim,
                    create_mixer(mixer, dim, grid, **(every_other if i % 2 else options), **dd),
                    mlp_dim=widths.mlp_dim,
                    drop_path=rate,
                    **dd,
                )
                for i, rate in enumerate(rates)
            )
        )
        self.feature_info = [
            {"num_chs": dim, "reduction": patch_size, "module": f"blocks.{i}"} for i in range(depth)
        ]
        self.norm = nn.LayerNorm(dim, **dd)
        self.head_drop = nn.Dropout(drop_rate)
        self.head = nn.Linear(dim, num_classes, **dd) if num_classes else nn.Identity()
        self.apply(_init_weights)

    @property
    def grid(self):
        """Grid of the tokens."""
        return self.patch_embed.grid

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, C): tokens after the last block and norm."""
        x = self.pos_embed(self.patch_embed(x))
        x = checkpoint_seq(self.blocks, x) if self.grad_checkpointing else self.blocks(x)
        return self.norm(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """(B, N, C) -> (B, num_classes), or (B, C) with `pre_logits`."""
        x = self.head_drop(x.mean(dim=1))
        return x if pre_logits else self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes): the logits."""
        return self.forward_head(self.forward_features(x))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """(B, C, H, W) -> (B, N, C) of `forward_features`, and each block's (B, C, rows, cols).

        Args:
            x: images.
            indices: the last so many blocks, the blocks of these numbers, or all.
            norm: apply the last norm to every block's tokens.
            stop_early: leave out the blocks after the last that is asked for.
            output_fmt: NCHW, or NLC for (B, N, C).
            intermediates_only: return the list alone.
        """
        if output_fmt not in ("NCHW", "NLC"):
            raise ValueError(f"output_fmt must be NCHW or NLC, got {output_fmt!r}")
        take, last = feature_take_indices(len(self.blocks), indices)
        x, taken = self.pos_embed(self.patch_embed(x)), []
        for i, block in enumerate(self.blocks[: last + 1] if stop_early else self.blocks):
            x = checkpoint(block, x) if self.grad_checkpointing else block(x)
            if i in take:
                taken.append(self.norm(x) if norm else x)
        if output_fmt == "NCHW":
            taken = [t.transpose(1, 2).unflatten(2, (self.grid.rows, self.grid.cols)) for t in taken]
        return taken if intermediates_only else (self.norm(x), taken)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop what the intermediates of `indices` do not need; returns their numbers."""
        take, last = feature_take_indices(len(self.blocks), indices)
        self.blocks = self.blocks[: last + 1]
        if prune_norm:
            self.norm = nn.Identity()
        if prune_head:
            self.reset_classifier(0)
        return take

    def get_classifier(self) -> nn.Module:
        """The head."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the head by a new one with `num_classes` outputs, of the same device and dtype."""
        if global_pool not in (None, "avg"):
            raise ValueError(f"global_pool must be 'avg': masked models pool by mean, got {global_pool!r}")
        like = self.patch_embed.proj.weight
        self.num_classes = num_classes
        dd: Any = {"device": like.device, "dtype": like.dtype}
        self.head = nn.Linear(self.num_features, num_classes, **dd) if num_classes else nn.Identity()
        self.head.apply(_init_weights).train(self.training)

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that weight decay spares besides norms and biases."""
        places = ("pos_embed", "relative_bias", "centres")
        return {name for name, _ in self.named_parameters() if any(place in name for place in places)}

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """timm's grouping of parameters into layers."""
        return {
            "stem": r"^patch_embed|^pos_embed",
            "blocks": [(r"^blocks\.(\d+)", None), (r"^norm", (99999,))],
        }

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute activations in the backward pass instead of keeping them."""
        self.grad_checkpointing = enable


def _inside(mixer: str, options: dict[str, Any], pos_embed: str) -> dict[str, Any]:
    """The mixer's options with the one that a position inside attention is."""
    option = _INSIDE[pos_embed]
    if option not in option_names(mixer):
        raise ValueError(
            f"pos_embed={pos_embed!r} works inside attention, but mixer {mixer!r} has no option {option}"
        )
    return {**options, option: True}


def _counted(**arguments: Any):
    def count(widths: Widths) -> int:
        ratio = widths.mlp_dim / widths.embed_dim
        model = Backbone(embed_dim=widths.embed_dim, mlp_ratio=ratio, device="meta", **arguments)
        return sum(p.numel() for p in model.parameters())

    return count


def _init_weights(module: nn.Module) -> None:
    # Xavier, as in ViT's own code: 0.02 is made for wider models and slows one of 64 channels down.
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
