"""Small models whose attention is inspected: timm's ViT, torchvision's ViT and converted layers."""

import timm
from torch import nn
from torchvision.models import VisionTransformer

import vision


def timm_vit(**options):
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "num_heads": 3, "depth": 2, "num_classes": 2}
    return timm.create_model("vit_tiny_patch16_224", **{**sizes, **options})


def torchvision_vit():
    return VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )


def converted(*layers, size=8):
    return vision.as_attention(nn.Sequential(*layers).eval(), (3, size, size))
