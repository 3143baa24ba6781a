"""The grids of a model's tokens, which are never guessed from a number of tokens."""

import pytest
import timm
import torch
from small_models import build, torchvision_vit

from vision.inspection.stated_grids import StatedGrids, stated_grids
from vision.patches import Grid


def test_the_grid_that_has_as_many_tokens():
    model = build("vit_tiny_patch16_224", img_size=(64, 96), depth=1, reg_tokens=4)
    grids = stated_grids(model, (64, 96))
    assert grids.patches(24 + 5) == (Grid(4, 6), 5)
    assert grids.patches(24) == (Grid(4, 6), 0)
    assert grids.patches(6) == (Grid(2, 3), 0)  # pooled
    assert grids.patches(25) is None and grids.patches(1) is None
    assert grids.why_none("25") == "25 tokens are not those of the model's grid of 4 x 6, or of a pool"


@pytest.mark.parametrize(
    ("name", "size", "tokens", "grid"),
    [
        ("pvt_v2_b0", (64, 96), 16 * 24, Grid(16, 24)),  # by its reductions 4, 8, 16 and 32
        ("pvt_v2_b0", (64, 96), 6, Grid(2, 3)),
        ("resnet18", (64, 96), 6, Grid(2, 3)),
        ("xcit_nano_12_p16_224", (64, 96), 24, Grid(4, 6)),
        ("hiera_tiny_224", (224, 224), 196, None),  # whose tokens are in another order
        ("mixer_s32_224", (224, 224), 49, Grid(7, 7)),
    ],
)
def test_grids_of_timms_models(name, size, tokens, grid):
    with torch.device("meta"):
        model = timm.create_model(name)
    patches = stated_grids(model, size).patches(tokens)
    assert patches == (None if grid is None else (grid, 0))


def test_torchvisions_vit_states_its_grid_and_a_plain_model_none():
    assert stated_grids(torchvision_vit(), (32, 32)).patches(17) == (Grid(4, 4), 1)
    none = stated_grids(torch.nn.Linear(2, 2), (6, 9))
    assert none.patches(54) is None
    assert none.why_none("54") == (
        "the model states no grid of its 54 tokens; a Grid(rows, cols) as model.grid does"
    )


def test_two_grids_of_one_number_of_tokens_are_not_told_apart():
    grids = StatedGrids((Grid(3, 8), Grid(4, 6)), 0)
    assert grids.patches(24) is None
