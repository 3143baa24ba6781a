"""The backbone: shapes, gradients, positions and every other block."""

import pytest
import torch
from small_models import build
from torch import nn

from vision.fields import tiled
from vision.models import our_models
from vision.patches import Grid

BACKBONES = [name for name in our_models() if name.startswith("field_")]


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("img_size", "patch_size", "in_chans"), [(8, 2, 1), (32, 4, 3), ((12, 20), 4, 5)])
def test_shapes_follow_timms_contract(name, img_size, patch_size, in_chans):
    sizes = {"img_size": img_size, "patch_size": patch_size, "in_chans": in_chans}
    model = build(name, num_classes=7, **sizes)
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    images = torch.randn(2, in_chans, height, width)
    tokens = model.forward_features(images)
    assert tokens.shape == (2, height * width // patch_size**2, model.num_features)
    assert model.forward_head(tokens, pre_logits=True).shape == (2, model.num_features)
    assert model(images).shape == (2, 7)
    model.reset_classifier(3)
    assert model(images).shape == (2, 3)
    assert model.get_classifier() is model.head


def test_the_backbone_is_permutation_equivariant_only_without_a_field():
    """Self-attention without positions sees a set; a convolution sees a grid."""
    order = torch.randperm(16)

    def moved(name: str) -> float:
        torch.manual_seed(0)
        model = build(name, img_size=8, patch_size=2, pos_embed="none").eval().double()
        tokens = torch.randn(2, 16, model.num_features, dtype=torch.float64)
        return (model.blocks(tokens)[:, order] - model.blocks(tokens[:, order])).abs().max().item()

    assert moved("field_vit") < 1e-12
    assert moved("field_identity") < 1e-12
    assert moved("field_cnn") > 1e-3


def test_one_state_dict_serves_the_cnn_and_its_attention():
    torch.manual_seed(0)
    cnn = build("field_cnn", img_size=16, mixer_options={"kernel_size": 3}).double().eval()
    attention = build("field_cnn_attention", img_size=16, mixer_options={"explicit": True}).double().eval()
    attention.load_state_dict(cnn.state_dict())
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(attention(images), cnn(images), rtol=1e-10, atol=1e-10)
    cnn.load_state_dict(attention.state_dict())


def test_every_parameter_gets_a_gradient():
    for name in our_models():
        model = build(name)
        model(torch.randn(2, 3, 32, 32)).square().sum().backward()
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
        assert without == [], name


def test_weight_decay_spares_positions():
    model = build("field_vit")
    assert model.no_weight_decay() == {n for n, _ in model.named_parameters() if n.startswith("pos_embed")}
    gated = build("field_gated", depth=1)
    assert gated.no_weight_decay() == {"blocks.0.mixer.centres"}


def test_gradient_checkpointing_changes_no_gradient():
    torch.manual_seed(0)
    model, images = build("field_vit"), torch.randn(2, 3, 32, 32)
    grads = []
    for enable in (False, True):
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        model(images).square().sum().backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    for plain, recomputed in zip(*grads, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_images_of_another_shape_are_refused():
    """Images of another shape are refused even if they have as many patches."""
    model = build("field_cnn", img_size=(16, 32), patch_size=4)
    for shape in ((1, 3, 32, 16), (1, 1, 16, 32), (1, 3, 16, 16)):
        with pytest.raises(ValueError, match=r"images must be \(B, 3, 16, 32\), got shape"):
            model(torch.zeros(shape))


def test_every_other_block_may_have_a_window_shifted():
    model = build("field_window", mixer_options={"window": 4}, alternate_options={"shift": 2})
    wanted = [tiled(Grid(8, 8), 4, shift=shift).mask() for shift in (0, 2, 0, 2)]
    for block, mask in zip(model.blocks, wanted, strict=True):
        assert torch.equal(block.mixer.field.mask(), mask)


@pytest.mark.parametrize("pos_embed", ["relative", "quadratic", "rotary"])
def test_positions_inside_attention_are_options_of_the_mixer(pos_embed):
    model = build("field_vit", pos_embed=pos_embed)
    option = {"relative": "relative_bias", "quadratic": "quadratic_bias", "rotary": "rotary"}[pos_embed]
    assert isinstance(model.pos_embed, nn.Identity)
    assert all(getattr(block.mixer, option) is not None for block in model.blocks)
    with pytest.raises(ValueError, match=f"mixer 'convolution' has no option {option}"):
        build("field_cnn", pos_embed=pos_embed)
    with pytest.raises(ValueError, match="conditional, relative, quadratic, rotary; got 'relativ'"):
        build("field_vit", pos_embed="relativ")
