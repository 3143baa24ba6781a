"""A dense head of your own on `features_only`: a class for each pixel.

$ python examples/dense_head.py
"""
# pyright: reportUnknownMemberType=false

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from vision import create_model


class Segmenter(nn.Module):
    """(B, 3, H, W) -> (B, num_classes, H, W): a linear map of each token, resized to the pixels."""

    def __init__(self, num_classes: int, name: str, **arguments: Any) -> None:
        super().__init__()
        self.backbone: Any = create_model(name, features_only=True, out_indices=[-1], **arguments)
        self.head = nn.Conv2d(self.backbone.feature_info.channels()[-1], num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return interpolate(self.head(self.backbone(images)[-1]), images.shape[2:], mode="bilinear")


torch.manual_seed(0)
model = Segmenter(2, "field_local", img_size=32, patch_size=4, embed_dim=32, depth=2)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(60):
    labels = torch.randint(2, (16, 8, 8)).repeat_interleave(4, 1).repeat_interleave(4, 2)  # (B, H, W)
    images = torch.randn(16, 3, 32, 32) + 2 * labels.unsqueeze(1)  # each patch of 4 x 4 dark or light
    loss = cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"accuracy of the pixels {(model(images).argmax(1) == labels).double().mean():.2f}")
