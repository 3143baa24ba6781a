"""A dense head of your own on `features_only`: a class for each pixel.

$ python examples/dense_head.py
"""

from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

import vision  # noqa: F401  adds the models to timm's registry


class Segmenter(nn.Module):
    """(B, 3, H, W) -> (B, num_classes, H, W): a linear map of each token, resized to the pixels."""

    def __init__(self, name: str, num_classes: int, **arguments: Any) -> None:
        super().__init__()
        self.backbone: Any = timm.create_model(name, features_only=True, out_indices=[-1], **arguments)
        self.head = nn.Conv2d(self.backbone.feature_info.channels()[-1], num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return interpolate(self.head(self.backbone(images)[-1]), images.shape[2:], mode="bilinear")


torch.manual_seed(0)
model = Segmenter("field_local", 2, img_size=32, patch_size=4, embed_dim=32, depth=2)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for step in range(60):
    images = torch.randn(16, 3, 32, 32)
    images[:, :, :, 16:] += 1.5 * torch.sign(torch.randn(16, 1, 1, 1))
    means = interpolate(images.mean(1, keepdim=True), (8, 8), mode="area")  # of patches of 4 x 4
    labels = (interpolate(means, (32, 32))[:, 0] > 0.5).long()  # (B, H, W)
    loss = cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 19:
        print(f"accuracy of the pixels {(model(images).argmax(1) == labels).double().mean():.2f}")
