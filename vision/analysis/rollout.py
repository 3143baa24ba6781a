"""Where in the image the attention of all layers, one after another, comes from.

>>> attention_rollout(model, images).shape  # doctest: +SKIP
torch.Size([8, 14, 14])
"""

import torch
from torch import Tensor, nn

from vision.analysis.attention_distance import square_patches
from vision.analysis.attention_maps import attention_maps


def attention_rollout(model: nn.Module, images: Tensor) -> Tensor:
    """images (B, C, H, W) -> (B, rows, cols): how much of the output comes from each patch, summing to 1.

    Attention rollout (Abnar and Zuidema, 2020): each layer's weights, averaged over its heads, plus the
    identity of the residual, are made to sum to 1 and multiplied through the depth. A layer that has another
    number of queries than of keys, as a strided convolution or a pool, is multiplied without an identity; one
    whose keys are not the tokens at hand, as a shortcut's, is passed over. The output reads the class token
    where there is one, else the mean over tokens.

    Args:
        model: any whose attention `attention_maps` sees: ViTs of this suite, timm's and torchvision's, and
            converted CNNs, whose patches are the pixels.
        images: at the size of the model.

    Raises:
        ValueError: no attention is seen, or its tokens are no square patches of the image.
    """
    maps = attention_maps(model, images)
    flow: Tensor | None = None
    for weights in maps.values():
        if len(weights) != len(images):
            continue
        mixed = _rows_to_one(weights.double().mean(1))
        if mixed.shape[1] == mixed.shape[2]:
            mixed = 0.5 * (mixed + torch.eye(mixed.shape[1], dtype=mixed.dtype, device=mixed.device))
        if flow is None:
            flow = mixed
        elif mixed.shape[2] == flow.shape[1]:
            flow = mixed @ flow
    if flow is None:
        raise ValueError(f"{type(model).__name__} shows no attention over whole images; convert a CNN first")
    prefix = getattr(model, "num_prefix_tokens", 0)
    patches = square_patches(flow.shape[2], (images.shape[-2], images.shape[-1]), prefix)
    if patches is None:
        raise ValueError(f"{flow.shape[2]} tokens are no square patches of images {tuple(images.shape)}")
    grid, before = patches
    same = flow.shape[1] == flow.shape[2]
    reached = flow[:, 0] if before and same else flow.mean(1)
    return _rows_to_one(reached[:, before:]).unflatten(1, (grid.rows, grid.cols))


def _rows_to_one(weights: Tensor) -> Tensor:
    """(..., N) -> (..., N): rows that sum to 1, but for those of 0."""
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
