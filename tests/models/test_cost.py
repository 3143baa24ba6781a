"""The cost of models, against counts by hand."""

from small_models import build

from vision.models import cost


def test_cost_of_a_vit_by_hand():
    model = build("field_vit", embed_dim=64, depth=2, num_classes=10)
    tokens, dim = 64, 64
    block = tokens * (4 * dim**2 + 8 * dim**2) + 2 * tokens**2 * dim
    assert cost(model, (3, 32, 32)).macs == tokens * 48 * dim + 2 * block + dim * 10


def test_cost_counts_only_the_pairs_of_the_field():
    full, local = (cost(build(n, depth=1), (3, 32, 32)).macs for n in ("field_vit", "field_local"))
    pairs = (3 * 8 - 2) ** 2
    assert full - local == 2 * (64**2 - pairs) * 64


def test_cost_leaves_the_model_as_it_was():
    model = build("field_cnn_attention", mixer_options={"explicit": True})
    cost(model, (3, 32, 32))
    assert model.training and all(block.mixer.explicit for block in model.blocks)
