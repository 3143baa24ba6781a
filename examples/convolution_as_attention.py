"""A convolution is self-attention in which every head attends to one position only.

The weights of a torch.nn.Conv2d are loaded without a change into masked attention with one head for each of
the 3 x 3 kernel positions. Both return the same numbers. The attention maps of the heads show why.

$ python examples/convolution_as_attention.py
"""

import torch

from vision import Grid
from vision.mixers import ConvAttention

images = torch.randn(2, 64, 8, 8, dtype=torch.float64)
tokens = images.flatten(2).transpose(1, 2)  # (B, C, H, W) -> (B, N, C): a set of 64 vectors

conv = torch.nn.Conv2d(64, 32, kernel_size=3, padding=1, dtype=torch.float64)
attention = ConvAttention(64, Grid(8, 8), out_chans=32, kernel_size=3, explicit=True, dtype=torch.float64)
attention.load_state_dict(conv.state_dict())

out = attention(tokens).transpose(1, 2).unflatten(2, (8, 8))
print(f"largest difference from Conv2d, in float64: {(out - conv(images)).abs().max():.1e}")

query = 3 * 8 + 4
weights = attention.attention_map(tokens)[0, :, query]  # (K, N): the key that each head attends to
for head, direction in ((0, "above to the left"), (5, "to the right")):
    print(
        f"\nhead {head}: the token o attends to the one {direction}, #, with weight {weights[head].max():.0f}"
    )
    marks = ["#" if weight else "o" if key == query else "." for key, weight in enumerate(weights[head])]
    for row in range(8):
        print(" ".join(marks[8 * row : 8 * row + 8]))
