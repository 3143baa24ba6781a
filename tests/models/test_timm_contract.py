"""timm's contract of models: ours are built, changed, traced, exported, saved and loaded."""

import json
from typing import Any

import pytest
import timm
import torch
from small_models import build
from torch import nn

from vision.models import complete_arguments, our_models, save_model

# Those made of another model are in soften/test_registry.py and convert/test_nearest_registry.py.
OURS = [name for name in our_models() if name not in ("softened_cnn", "nearest_cnn")]
BACKBONES = [name for name in OURS if name.startswith("field_")]
# mixers/test_tracing.py traces each mixer; these are the backbone's other paths: a stem, blocks that differ.
TRACED = ("field_vit_conv_stem", "field_window", "field_recurrent")
SMALL: dict[str, Any] = {"img_size": 8, "patch_size": 2, "in_chans": 1, "embed_dim": 16, "depth": 3}


def small(name: str, **arguments: Any) -> Any:
    torch.manual_seed(0)
    sizes: dict[str, Any] = SMALL if name in BACKBONES else {"in_chans": 1}
    return build(name, **{**sizes, **arguments}).eval()


def images(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", OURS)
def test_an_unknown_argument_is_a_type_error(name):
    with pytest.raises(TypeError, match="not_an_argument"):
        build(name, not_an_argument=1)


@pytest.mark.parametrize("name", OURS)
def test_device_and_dtype_reach_every_tensor(name):
    model = small(name, device="meta", dtype=torch.float64)
    tensors = [*model.parameters(), *model.buffers()]
    assert {t.device.type for t in tensors} == {"meta"}
    assert {t.dtype for t in tensors if t.is_floating_point()} == {torch.float64}
    with torch.device("meta"):
        drop: dict[str, Any] = {"drop_rate": 0.1} if name == "plain_cnn" else {"drop_path_rate": 0.1}
        assert {p.device.type for p in small(name, **drop).parameters()} == {"meta"}


@pytest.mark.parametrize("name", our_models())
def test_a_batch_may_be_empty(name):
    sizes: dict[str, Any] = {"in_chans": 1} if name in OURS and name not in BACKBONES else SMALL
    assert build(name, **sizes).eval()(images(0)).shape == (0, 10)


@pytest.mark.parametrize("name", OURS)
def test_a_new_head_keeps_device_dtype_mode_and_what_is_frozen(name):
    model = small(name).to(torch.float64).requires_grad_(False)
    model.reset_classifier(0)
    assert model(images().double()).shape == (2, model.num_features) and model.num_classes == 0
    assert not any(p.requires_grad for p in model.parameters())
    model.reset_classifier(3)
    head = model.get_classifier()
    assert head.weight.dtype == torch.float64 and head.weight.device.type == "cpu" and not head.training
    assert model(images().double()).shape == (2, 3)
    model.to("meta").reset_classifier(4)
    assert model.get_classifier().weight.device.type == "meta"


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("pos_embed", ["learned", "sinusoidal"])
def test_another_dtype_after_a_forward_leaves_no_old_tensor(name, pos_embed):
    model = small(name, pos_embed=pos_embed) if name in BACKBONES else small(name)
    expected = model(images())
    out = model.to(torch.bfloat16)(images().bfloat16())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.1)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.*deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*were assigned during export.*:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["field_vit", *TRACED])
def test_traced_exported_and_compiled_models_give_the_same_logits(name):
    torch._dynamo.reset()  # or the models of earlier cases use up its limit of recompilations
    model, x, more = small(name, depth=2), images(2), images(5)
    with torch.no_grad():
        expected, expected_more = model(x), model(more)
        batch = torch.export.Dim("batch", min=2)
        others = {
            "fx": torch.fx.symbolic_trace(model),
            "jit": torch.jit.trace(model, x),
            "export": torch.export.export(model, (x,), dynamic_shapes=({0: batch},)).module(),
            "compile": torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=True),
        }
        for way, other in others.items():
            for given, wanted in ((x, expected), (more, expected_more)):
                torch.testing.assert_close(
                    other(given), wanted, rtol=1e-4, atol=1e-5, msg=f"{way}, {len(given)} images"
                )


@pytest.mark.parametrize("name", OURS)
def test_a_saved_and_loaded_model_is_bitwise_equal(name, tmp_path):
    arguments = complete_arguments(name, img_size=8, in_chans=1, num_classes=10)
    model = build(name, **arguments).eval()
    save_model(model, tmp_path, arguments=arguments, input_size=(1, 8, 8), mean=(0.5,), std=(0.5,))
    assert json.loads((tmp_path / "config.json").read_text())["architecture"] == name
    with torch.no_grad():
        back = build(f"local-dir:{tmp_path}", pretrained=True).eval()
        assert torch.equal(back(images()), model(images()))
        other = build(f"local-dir:{tmp_path}", pretrained=True, num_classes=3).eval()
        assert other(images()).shape == (2, 3)
        assert torch.equal(other.forward_features(images()), model.forward_features(images()))


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_widths_found_for_a_number_of_parameters_hold_for_another_head(name, tmp_path):
    arguments = complete_arguments(name, img_size=8, in_chans=1, num_classes=10, params=20_000)
    model = build(name, **arguments)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(20_000, rel=0.02)
    save_model(model, tmp_path, arguments=arguments, input_size=(1, 8, 8), mean=(0.5,), std=(0.5,))
    other = build(f"local-dir:{tmp_path}", pretrained=True, num_classes=100)
    kept = {key: value for key, value in other.state_dict().items() if not key.startswith("head")}
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in kept.items())


@pytest.mark.parametrize("name", BACKBONES)
def test_intermediate_features_are_those_of_the_forward_pass(name):
    model = small(name)
    with torch.no_grad():
        tokens, maps = model.forward_intermediates(images(), norm=True)
        assert torch.equal(tokens, model.forward_features(images())) and len(maps) == 3
        assert maps[-1].shape == (2, 16, 4, 4)
        assert torch.equal(maps[-1].flatten(2).transpose(1, 2), tokens)
        (first,) = model.forward_intermediates(
            images(), [0], stop_early=True, output_fmt="NLC", intermediates_only=True
        )
        assert torch.equal(first, model.blocks[0](model.pos_embed(model.patch_embed(images()))))
        with pytest.raises(ValueError, match="NCHW or NLC, got 'NHWC'"):
            model.forward_intermediates(images(), output_fmt="NHWC")


@pytest.mark.parametrize("name", BACKBONES)
def test_a_feature_extractor_holds_only_the_blocks_that_it_needs(name):
    extractor = small(name, features_only=True, out_indices=[0, 1])
    assert extractor.feature_info.channels() == [16, 16] and extractor.feature_info.reduction() == [2, 2]
    assert len(extractor.model.blocks) == 2 and isinstance(extractor.model.head, nn.Identity)
    maps = small(name).forward_intermediates(images(), [0, 1], intermediates_only=True)
    for one, other in zip(extractor(images()), maps, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", [*BACKBONES, "nearest_cnn"])
@pytest.mark.parametrize(("depth", "levels"), [(1, [0]), (2, [0, 1]), (5, [2, 3, 4])])
def test_features_are_by_default_those_of_the_last_three_blocks(name, depth, levels):
    sizes = {**SMALL, "depth": depth}
    extractor = build(name, features_only=True, **sizes)
    assert extractor.feature_info.module_name() == [f"blocks.{level}" for level in levels]
    assert len(extractor(images())) == len(levels)


@pytest.mark.parametrize("name", BACKBONES)
def test_parameters_are_grouped_by_layer(name):
    groups = timm.models.group_parameters(small(name), small(name).group_matcher(), reverse=True)
    assert len(set(groups.values())) == 5  # stem, three blocks, head
