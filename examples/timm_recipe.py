"""Train a field model by timm's recipe: its optimizer, schedule, augmentation, Mixup and moving average.

$ python examples/timm_recipe.py
"""
# pyright: reportPrivateImportUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from typing import Any

import timm
import torch
from timm.data.mixup import Mixup
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3

import vision
from vision.data import load_source

torch.manual_seed(0)
digits = load_source(vision.DataConfig(source="digits"))
size: Any = {"img_size": 8, "patch_size": 2, "in_chans": 1}
model = timm.create_model("field_vit", **size, params=30_000, drop_path_rate=0.1)
optimizer = create_optimizer_v2(model, opt="adamw", lr=3e-3, weight_decay=0.05, layer_decay=0.8)
schedule: Any = create_scheduler_v2(optimizer, sched="cosine", num_epochs=40, warmup_epochs=4)[0]
mixup, ema = Mixup(mixup_alpha=0.2, num_classes=10), ModelEmaV3(model, decay=0.9)
pixels, labels = torch.as_tensor(digits.train.pixels), digits.train.labels
for step in range(40):
    chosen = torch.randint(len(labels), (64,))
    images, targets = mixup(pixels[chosen] / 127.5 - 1, labels[chosen])
    loss = SoftTargetCrossEntropy()(model(images), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step(step + 1)  # here an epoch is one batch
    ema.update(model)
    print(f"step {step + 1}: loss {loss.item():.3f}")
print(f"{len(optimizer.param_groups)} groups of weights, each with its learning rate")
