"""Small models for tests: by name, timm's ViT, torchvision's ViT and converted layers."""

from typing import Any

import timm
from torch import nn
from torchvision.models import VisionTransformer

import vision


def build(name: str, **arguments: Any) -> Any:
    """A model of timm's registry, without a type, so that tests may read its parts."""
    return timm.create_model(name, **arguments)


def timm_vit(**options: Any) -> Any:
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "num_heads": 3, "depth": 2, "num_classes": 2}
    return build("vit_tiny_patch16_224", **{**sizes, **options})


def torchvision_vit() -> Any:
    return VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )


def converted(*layers: nn.Module, size: int = 8) -> nn.Module:
    return vision.as_attention(nn.Sequential(*layers).eval(), (3, size, size))
