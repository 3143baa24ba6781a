"""What a converted or softened CNN is given: other images than it was made for are refused, never read."""

import pytest
import torch
from torch import nn

from vision import as_attention
from vision.convert import set_explicit_attention
from vision.soften import soften

CNN = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)).eval()
CONVERTED = as_attention(CNN, 8)
MODELS = {
    "converted": CONVERTED,
    "explicit": set_explicit_attention(as_attention(CNN, 8), True),
    "few heads": as_attention(CNN, 8, heads="min", explicit=True),
    "softened": soften(CONVERTED, alpha=4.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_images_of_integers_or_of_another_shape_are_refused(name):
    for images, message in (
        (
            torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
            "floating-point numbers, divided by 255, got torch.uint8",
        ),
        (
            torch.zeros(2, 1, 8, 8),
            r"(3 channels, got shape|\(B, 3, H, W\), got) \(2, 1, 8, 8\)",
        ),  # no broadcast
        (torch.zeros(3, 8, 8), r"\(B, (C|3), H, W\), got (shape )?\(3, 8, 8\)"),
    ):
        with pytest.raises(ValueError, match=message):
            MODELS[name](images)
    assert MODELS[name](torch.zeros(2, 3, 10, 12)).shape == (2, 4, 5, 6)
