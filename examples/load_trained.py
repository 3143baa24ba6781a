"""Load a trained model from its run's folder with timm: the model, its features, and with a new head.

$ vision train model=cnn train_size=500
$ python examples/load_trained.py outputs/runs/CNN/n500/s0
"""
# pyright: reportUnusedImport=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import sys

import timm
import torch
from timm.data.config import resolve_model_data_config

import vision  # noqa: F401  adds the models to timm's registry

folder = f"local-dir:{sys.argv[1]}"
model = timm.create_model(folder, pretrained=True).eval()
known = resolve_model_data_config(model)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters, images {known['input_size']}")
print(f"normalize with mean {known['mean']} and standard deviation {known['std']}")

images = torch.rand(2, *known["input_size"])
print("logits", tuple(model(images).shape))

features = timm.create_model(folder, pretrained=True, features_only=True, out_indices=[-1]).eval()
print("features of the last block", tuple(features(images)[0].shape))

other_task = timm.create_model(folder, pretrained=True, num_classes=2).eval()
print("logits of another task", tuple(other_task(images).shape))
