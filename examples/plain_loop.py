"""Train a field model in a plain PyTorch loop, on scikit-learn's digits; no config, no run folder.

$ python examples/plain_loop.py
"""
# pyright: reportUnknownMemberType=false

from typing import Any

import timm
import torch
from torch.nn.functional import cross_entropy

import vision
from vision.data import load_source

digits = load_source(vision.DataConfig(source="digits"))


def batch(images: vision.data.Images) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (N, 1, 8, 8) in [-1, 1], and labels (N,)."""
    return torch.as_tensor(images.pixels) / 127.5 - 1, images.labels


torch.manual_seed(0)
size: Any = {"img_size": 8, "patch_size": 2, "in_chans": 1}
model = timm.create_model("field_local", **size, params=30_000, mixer_options={"kernel_size": 3})
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
images, labels = batch(digits.train)
for _ in range(150):
    chosen = torch.randint(len(images), (64,))
    loss = cross_entropy(model(images[chosen]), labels[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
images, labels = batch(digits.test)
with torch.no_grad():
    accuracy = (model.eval()(images).argmax(dim=1) == labels).double().mean()
print(f"test accuracy {accuracy:.3f}")
