"""Use a model of this package in your own code through timm: logits, features and an attention map.

$ python examples/reuse_model.py
"""

from typing import Any

import timm
import torch

import vision  # adds the models to timm's registry

options = {"kernel_size": 5, "num_heads": 4}
model: Any = timm.create_model("field_local", img_size=32, num_classes=10, mixer_options=options).eval()
images = torch.randn(2, 3, 32, 32)
with torch.no_grad():
    print("logits", tuple(model(images).shape))
    print("features", tuple(model.forward_features(images).shape))
    middle, last = model.forward_intermediates(images, indices=[1, 3], intermediates_only=True)
    print("features of blocks 1 and 3", tuple(middle.shape), tuple(last.shape))
    block = model.blocks[0]
    weights = block.mixer.attention_map(block.norm1(model.pos_embed(model.patch_embed(images))))

print("attention map of block 0", tuple(weights.shape))
corner = weights[0, 0, vision.Grid(8, 8).size - 1]
print(f"the last token, in the corner, attends to {int((corner > 0).sum())}: 3 x 3 of its 5 x 5 exist")
