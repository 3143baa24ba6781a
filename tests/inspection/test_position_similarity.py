"""Similarity of position vectors, against the cosine."""

import pytest
import torch
from small_models import build
from torch import nn

from vision.inspection import position_similarity
from vision.patches import Grid


def test_similarity_of_positions():
    model = build("field_vit", img_size=(8, 12), patch_size=4, depth=1)
    table = model.pos_embed.pos_embed[0].double()
    similar = position_similarity(model)
    assert similar.shape == (2, 3, 2, 3)
    one, other = table[1 * 3 + 2], table[0 * 3 + 1]
    assert float(similar[1, 2, 0, 1]) == pytest.approx((one @ other / one.norm() / other.norm()).item())
    with_class = position_similarity(build("vit_tiny_patch16_224", img_size=64, depth=1))
    assert with_class.shape == (4, 4, 4, 4)
    torch.testing.assert_close(torch.einsum("rcrc->rc", with_class), torch.ones(4, 4).double())


def test_models_without_enough_position_vectors_are_an_error():
    cnn = nn.Sequential(nn.Conv2d(3, 2, 3))
    with pytest.raises(ValueError, match="adds no position vectors"):
        position_similarity(cnn)
    with pytest.raises(ValueError, match=r"fewer than Grid\(rows=9, cols=9\)"):
        position_similarity(build("field_vit"), Grid(9, 9))
