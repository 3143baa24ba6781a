"""CKA, against its definition over all quadruples of samples."""

from itertools import permutations

import numpy as np
import pytest
import torch
from small_models import build
from torch import nn

import vision
from vision.inspection import block_names, cka


def hsic_by_definition(k: torch.Tensor, other: torch.Tensor) -> float:
    """The U-statistic over all ordered quadruples of different samples (Song et al., 2012)."""
    total, count = 0.0, 0
    for i, j, q, r in permutations(range(len(k)), 4):
        total += float(k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q]))
        count += 1
    return total / count


class Linear(nn.Module):
    """A layer that multiplies flattened images by a fixed matrix."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)

    def forward(self, x):
        return x.flatten(1) @ self.matrix


def test_cka_is_its_definition_over_minibatches():
    generator = torch.Generator().manual_seed(0)
    one, other = (Linear(torch.randn(6, width, generator=generator)) for width in (5, 7))
    batches = [torch.randn(n, 1, 2, 3, generator=generator) for n in (6, 7)]
    sums = np.zeros(3)
    for batch in batches:
        x, y = (layer(batch).double() for layer in (one, other))
        k, m = x @ x.T, y @ y.T
        sums += [hsic_by_definition(k, m), hsic_by_definition(k, k), hsic_by_definition(m, m)]
    table = cka(nn.Sequential(one), nn.Sequential(other), batches)
    assert table.to_numpy() == pytest.approx(sums[0] / np.sqrt(sums[1] * sums[2]), abs=1e-9)


def test_cka_does_not_see_rotation_or_scale_but_sees_what_is_unrelated():
    generator = torch.Generator().manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(12, 12, generator=generator)).Q
    images = [torch.randn(64, 3, 2, 2, generator=generator) for _ in range(4)]
    plain = nn.Sequential(Linear(torch.eye(12)), nn.Identity())
    turned = nn.Sequential(Linear(3 * rotation))
    assert cka(plain, turned, images).to_numpy() == pytest.approx(1, abs=1e-6)
    halves = [torch.eye(12)[:, :6], torch.eye(12)[:, 6:]]
    apart = cka(nn.Sequential(Linear(halves[0])), nn.Sequential(Linear(halves[1])), images)
    assert abs(apart.to_numpy().item()) < 0.1


def test_cka_of_a_model_with_itself_and_of_a_cnn_with_its_conversion():
    model = build("resnet10t").eval()
    converted, images = vision.as_attention(model, 32), torch.randn(8, 3, 32, 32)
    table = cka(model, converted, [images])
    assert list(table.index) == list(table.columns) == [f"layer{n}.0" for n in (1, 2, 3, 4)]
    assert np.diag(table) == pytest.approx(1, abs=1e-5)
    assert table.to_numpy().max() <= 1 + 1e-5


def test_blocks_are_found_by_where_they_stand():
    assert block_names(build("field_vit", depth=3)) == ["blocks.0", "blocks.1", "blocks.2"]
    assert block_names(build("vit_tiny_patch16_224"))[-1] == "blocks.11"
    assert block_names(nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())) == ["0", "1"]


def test_too_few_images_are_an_error():
    cnn, images = nn.Sequential(nn.Conv2d(3, 2, 3)), torch.randn(2, 3, 8, 8)
    with pytest.raises(ValueError, match="at least 4 images, got 2"):
        cka(cnn, cnn, [images])
    with pytest.raises(ValueError, match="at least one batch"):
        cka(cnn, cnn, [])
