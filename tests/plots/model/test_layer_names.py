"""Names of layers that fit next to an axis."""

from vision.plots.model.layer_names import short_names


def test_long_names_of_layers_lose_what_they_share():
    short = ["blocks.0.attn", "blocks.1.attn"]
    assert short_names(short) == short and short_names([]) == []
    long = [f"encoder.layers.encoder_layer_{i}.self_attention" for i in (0, 1)]
    assert short_names(long) == ["encoder_layer_0", "encoder_layer_1"]
    assert short_names(["a" * 30]) == ["a" * 30]  # one part is never cut
