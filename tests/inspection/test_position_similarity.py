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


def test_a_grid_that_is_not_square_worked_out_by_hand():
    """Two rows of three tokens after a class token: (1, 0), (3, 4), (0, 2) and (-2, 0), (4, -3), (5, 0)."""
    with_class = build("vit_tiny_patch16_224", img_size=(32, 48), depth=1, embed_dim=2, num_heads=1)
    vectors = torch.tensor([[9.0, 9], [1, 0], [3, 4], [0, 2], [-2, 0], [4, -3], [5, 0]])
    with_class.pos_embed.data = vectors[None]
    similar = position_similarity(with_class)
    assert similar.shape == (2, 3, 2, 3)
    expected = [[1, 0.6, 0], [-1, 0.8, 1]]
    torch.testing.assert_close(similar[0, 0], torch.tensor(expected).double())
    expected = [[0.6, 1, 0.8], [-0.6, 0, 0.6]]
    torch.testing.assert_close(similar[0, 1], torch.tensor(expected).double())


def test_a_grid_is_never_guessed():
    model = nn.Module()
    model.pos_embed = nn.Parameter(torch.randn(1, 16, 4))
    with pytest.raises(ValueError, match="does not state the grid of its tokens"):
        position_similarity(model)
    assert position_similarity(model, Grid(2, 8)).shape == (2, 8, 2, 8)
    nest = build("nest_tiny", img_size=64)
    with pytest.raises(ValueError, match="Nest keeps its position vectors in the order of windows"):
        position_similarity(nest)
    with pytest.raises(ValueError, match=r"16 vectors, which is not the number of tokens that Grid\(rows=3"):
        position_similarity(model, Grid(3, 5))


def test_models_without_enough_position_vectors_are_an_error():
    cnn = nn.Sequential(nn.Conv2d(3, 2, 3))
    with pytest.raises(ValueError, match="adds no table of position vectors"):
        position_similarity(cnn)
    with pytest.raises(ValueError, match=r"fewer than Grid\(rows=9, cols=9\)"):
        position_similarity(build("field_vit"), Grid(9, 9))
