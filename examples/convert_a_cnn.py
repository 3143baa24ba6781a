"""Convert a CNN to masked attention: the same logits, the weights of one layer, and back again.

$ python examples/convert_a_cnn.py resnet18
"""

import sys

import timm
import torch

from vision.convert import as_attention, attention_layers, set_explicit_attention

model = timm.create_model(sys.argv[1] if len(sys.argv) > 1 else "resnet18").eval()
attention = set_explicit_attention(as_attention(model, 64), True)
images = torch.randn(1, 3, 64, 64)
with torch.no_grad():
    difference = (attention(images) - model(images)).abs().max()
layers = dict(attention_layers(attention))
print(f"{len(layers)} attention layers, logits differ by {difference:.1e}")

name, layer = next(iter(layers.items()))
weights, index = layer.neighbour_weights(images)
print(f"{name}: {len(layer.heads)} heads, {layer.field.queries.size} queries, {layer.field.keys.size} keys")
middle = layer.field.queries.size // 2 + layer.field.queries.cols // 2
print("the central query's first head attends to token", int(index[0, middle, 0]))
print("as a convolution again:", layer.to_conv())
