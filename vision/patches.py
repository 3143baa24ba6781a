"""From images to sets of vectors and back: the grid of patches, flattening, and the patch embedding.

>>> import torch
>>> patchify(torch.zeros(2, 3, 32, 32), patch_size=4).shape
torch.Size([2, 64, 48])
"""

from dataclasses import dataclass

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

Size = int | tuple[int, int]  # one number for rows and columns, or (rows, cols)

# Symbolic tracing records a call of these, as their checks cannot be traced.
torch.fx.wrap("patchify")
torch.fx.wrap("check_images")


def pair(size: Size) -> tuple[int, int]:
    """Return (rows, cols) of a size; timm's to_2tuple, which is untyped and slow to import, does the same."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of rows x cols tokens; the token at (row, col) has index row * cols + col."""

    rows: int
    cols: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1:
            raise ValueError(f"a grid needs at least one row and column, got {self.rows} x {self.cols}")

    @property
    def size(self) -> int:
        """Number of tokens N."""
        return self.rows * self.cols

    def coordinates(self, device: torch.device | str = "cpu") -> Tensor:
        """Return (N, 2): row and column of each token, in index order."""
        index = torch.arange(self.size, device=device)
        return torch.stack((index // self.cols, index % self.cols), dim=1)


def patch_grid(img_size: Size, patch_size: Size, *, pad: bool = False) -> Grid:
    """Return the grid of the patches of an image.

    Args:
        img_size: height and width in pixels, or one number for both.
        patch_size: height and width of a patch in pixels, or one number for both.
        pad: count the patches that the image only begins.

    Raises:
        ValueError: the patch does not divide the image. The message lists the square patches that do.
    """
    (height, width), (rows, cols) = pair(img_size), pair(patch_size)
    if pad and min(rows, cols) > 0:
        return Grid(-(-height // rows), -(-width // cols))
    if min(rows, cols) < 1 or height % rows or width % cols:
        shorter = min(height, width)
        fits = [p for p in range(1, shorter + 1) if height % p == 0 and width % p == 0]
        raise ValueError(
            f"patch_size must divide the image's height and width, got {patch_size=} for "
            f"{height} x {width} pixels; {', '.join(map(str, fits))} would fit, and any with "
            "dynamic_img_pad=true"
        )
    return Grid(height // rows, width // cols)


def patchify(images: Tensor, patch_size: Size) -> Tensor:
    """(B, C, H, W) -> (B, N, P): cut images into patches and flatten each.

    P is C times the pixels of a patch, in the order channel, row, column, like the weight of a convolution.

    Raises:
        ValueError: the images are not 4-dimensional, or the patch does not divide them.
    """
    if images.ndim != 4:
        raise ValueError(f"images must be (B, C, H, W), got shape {tuple(images.shape)}")
    batch, channels, height, width = images.shape
    grid, (rows, cols) = patch_grid((height, width), patch_size), pair(patch_size)
    x = images.reshape(batch, channels, grid.rows, rows, grid.cols, cols)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(batch, grid.size, channels * rows * cols)


def padding_of(img_size: Size, patch_size: Size) -> tuple[int, int]:
    """Return the rows and columns of pixels that an image lacks to be divided by a patch."""
    (height, width), (rows, cols) = pair(img_size), pair(patch_size)
    return -height % rows, -width % cols


def unpatchify(patches: Tensor, grid: Grid, patch_size: Size) -> Tensor:
    """(B, N, P) -> (B, C, H, W): the exact inverse of `patchify`.

    Raises:
        ValueError: the number of patches is not the grid's, or the pixels of a patch do not divide P.
    """
    if patches.ndim != 3:
        raise ValueError(f"patches must be (B, N, P), got shape {tuple(patches.shape)}")
    (batch, count, width), (rows, cols) = patches.shape, pair(patch_size)
    if count != grid.size or width % (rows * cols):
        raise ValueError(
            f"patches must be (B, {grid.size}, C * {rows * cols}) for {grid} and {patch_size=}, "
            f"got shape {tuple(patches.shape)}"
        )
    x = patches.reshape(batch, grid.rows, grid.cols, -1, rows, cols)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(batch, -1, grid.rows * rows, grid.cols * cols)


def tokens_to_images(x: Tensor, grid: Grid) -> Tensor:
    """(B, N, C) -> (B, C, rows, cols): a view, in torch's channels_last layout."""
    return torch.unflatten(x.transpose(1, 2), 2, (grid.rows, grid.cols))


def images_to_tokens(images: Tensor) -> Tensor:
    """(B, C, rows, cols) -> (B, N, C): a view, the inverse of `tokens_to_images`."""
    return images.flatten(2).transpose(1, 2)


def shuffle_patches(images: Tensor, patch_size: Size, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): shuffle the patches of each image, in a new order for each.

    Attention maps a set to a set. A network on these patches that adds no positions and averages its tokens
    gives the same logits for both.

    Args:
        images: any images (B, C, H, W).
        patch_size: height and width of a patch in pixels, or one number for both; must divide the images.
        generator: random generator on any device. The orders depend only on its state, B and N.

    Raises:
        ValueError: see `patchify`.
    """
    patches = patchify(images, patch_size)
    numbers = torch.rand(patches.shape[:2], generator=generator, device=generator.device)
    order = numbers.argsort(dim=1).to(images.device)
    shuffled = patches.gather(1, order[..., None].expand_as(patches))
    return unpatchify(shuffled, patch_grid((images.shape[2], images.shape[3]), patch_size), patch_size)


class PatchEmbed(nn.Module):
    """(B, C, H, W) -> (B, N, embed_dim): one linear map on every flattened patch.

    The stem of ViT (Dosovitskiy et al., 2021). Its weight, reshaped to (embed_dim, C, rows, cols) of a patch,
    is the weight of the equivalent strided convolution.

    Args:
        img_size: height and width in pixels, or one number for both; forward accepts no other size.
        patch_size: height and width of a patch in pixels, or one number for both; must divide the image.
        in_chans: channels of the images.
        embed_dim: width of a token.
        dynamic_img_pad: pad images with zeros at the bottom and on the right to a multiple of the patch, as
            timm does under this name.
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
        self.grid = patch_grid(img_size, patch_size, pad=dynamic_img_pad)
        self.patch_size, self.padding = patch_size, padding_of(img_size, patch_size)
        self.shape = (in_chans, *pair(img_size))
        rows, cols = pair(patch_size)
        self.proj = nn.Linear(in_chans * rows * cols, embed_dim, device=device, dtype=dtype)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, embed_dim).

        Raises:
            ValueError: the images do not have the channels and size that the module was built for.
        """
        images = check_images(images, self.shape)
        if self.padding != (0, 0):
            images = F.pad(images, (0, self.padding[1], 0, self.padding[0]))
        return self.proj(patchify(images, self.patch_size))


def check_images(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the images (B, *shape) as they are.

    Raises:
        ValueError: they have other channels or another size.
    """
    if tuple(images.shape[1:]) != shape:
        raise ValueError(f"images must be (B, {', '.join(map(str, shape))}), got shape {tuple(images.shape)}")
    return images
