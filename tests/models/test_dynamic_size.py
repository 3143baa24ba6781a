"""Backbones for images of any size: as built for that size, for each mixer, also when exported."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import build
from torch import Tensor

SMALL: dict[str, Any] = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_classes": 5}
EVERYWHERE: list[tuple[str, dict[str, Any]]] = [
    ("field_vit", {}),
    ("field_vit", {"pos_embed": "sinusoidal"}),
    ("field_vit", {"pos_embed": "conditional"}),
    ("field_vit", {"pos_embed": "rotary"}),
    ("field_vit_conv_stem", {}),
    ("field_local", {}),
    ("field_local", {"pos_embed": "relative"}),
    ("field_truncated", {"mixer_options": {"relative_bias": True}}),
    ("field_gated", {}),
    ("field_quadratic", {}),
    ("field_static", {"mixer_options": {"kernel_size": 3}}),
    ("field_graph", {}),
    ("field_cnn", {}),
    ("field_cnn", {"mixer_options": {"depthwise": True}}),
    ("field_cnn_attention", {}),
    ("field_pooling", {}),
    ("field_identity", {}),
]
# ONNX has no form of these, torch.export has.
NOT_IN_ONNX: list[tuple[str, dict[str, Any]]] = [
    ("field_vit", {"pos_embed": "quadratic"}),
    ("field_graph", {"mixer_options": {"edges": "knn", "neighbours": 4}}),
    ("field_cnn_attention", {"mixer_options": {"explicit": True}}),
]
RECURRENT: list[tuple[str, dict[str, Any]]] = [
    ("field_recurrent", {}),
    ("field_recurrent", {"mixer_options": {"order": "sequence", "kind": "gru"}}),
]
ONE_SIZE: list[tuple[str, dict[str, Any], str]] = [
    ("field_window", {}, "is built for the tiles of one grid, .*rows=4, cols=4"),
    ("field_static", {}, "a relative bias .* is built for one grid, .*rows=4, cols=4"),
    ("field_vit", {"pos_embed": "relative"}, "a relative bias between all tokens is built for one grid"),
    (
        "field_graph",
        {"mixer_options": {"edges": torch.tensor([[0], [1]])}},
        "a mask exists on its own grid only",
    ),
]
IN_EAGER_MODE = [*EVERYWHERE, *NOT_IN_ONNX, *RECURRENT]


def small(name: str, options: dict[str, Any], **more: Any) -> Any:
    torch.manual_seed(0)
    return build(name, **{**SMALL, "dynamic_img_size": True, **options, **more}).eval()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), IN_EAGER_MODE, ids=str)
def test_another_size_is_as_built_for_it(name, options):
    model = small(name, options)
    other = deepcopy(model)
    other.set_input_size((24, 20))
    for size in ((24, 20), (16, 16)):
        images = torch.randn(2, 3, *size)
        built = other
        if size == (16, 16):
            built = small(name, options, dynamic_img_size=False)
            built.load_state_dict(model.state_dict())
        torch.testing.assert_close(model(images), built(images), rtol=0, atol=1e-6)
        _, maps = model.forward_intermediates(images)
        assert [tuple(each.shape) for each in maps] == [(2, 16, size[0] // 4, size[1] // 4)] * 2


@pytest.mark.parametrize(("name", "options", "reason"), ONE_SIZE, ids=str)
def test_a_mixer_of_one_grid_is_refused_with_the_reason(name, options, reason):
    with pytest.raises(ValueError, match=f"dynamic_img_size needs a mixer that works on any grid.*{reason}"):
        small(name, options)


def test_a_mixer_of_ones_own_is_refused_unless_it_takes_a_grid(monkeypatch):
    from vision.mixers import Identity, register_mixer, registry

    class Plain(Identity):
        def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
            return x

    monkeypatch.setattr(registry, "_mixers", dict(registry._mixers))
    register_mixer("plain")(Plain)
    with pytest.raises(ValueError, match="got mixer='plain': its forward takes no grid; set_input_size"):
        small("field_vit", {"mixer": "plain"})


@pytest.mark.parametrize("name", ["plain_cnn", "resnet18_small"])
def test_cnns_take_any_size_with_and_without_it(name):
    for arguments in ({}, {"dynamic_img_size": True}):
        assert build(name, **arguments).eval()(torch.randn(2, 3, 40, 24)).shape == (2, 10)


def test_what_no_patch_divides_is_padded_or_refused():
    images = torch.randn(2, 3, 22, 17)
    with pytest.raises(ValueError, match=r"patch_size must divide .* 22 x 17 pixels"):
        small("field_cnn", {})(images)
    model = small("field_cnn", {"dynamic_img_pad": True})
    padded = torch.nn.functional.pad(images, (0, 3, 0, 2))
    torch.testing.assert_close(model(images), model(padded))
    with pytest.raises(ValueError, match=r"images must be \(B, 3, H, W\), got shape \(2, 1, 16, 16\)"):
        model(torch.randn(2, 1, 16, 16))


def test_gradients_reach_the_positions_and_are_the_same_when_recomputed():
    model, images = small("field_vit", {}).train(), torch.randn(2, 3, 24, 16)
    found = []
    for recompute in (False, True):
        model.set_grad_checkpointing(recompute)
        model.zero_grad()
        model(images).square().sum().backward()
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    assert model.pos_embed.pos_embed.grad.abs().sum() > 0
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def sides() -> tuple[dict[int, Any]]:
    rows, cols = torch.export.Dim("rows"), torch.export.Dim("cols")
    return ({0: torch.export.Dim.DYNAMIC, 2: 4 * rows, 3: 4 * cols},)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("name", "options"), [*EVERYWHERE, *NOT_IN_ONNX], ids=str)
def test_exported_by_torch_and_to_onnx_it_takes_images_of_any_size(name, options, tmp_path):
    model: Any = small(name, options, depth=1)  # an export takes seconds; more blocks are tried above
    program = torch.export.export(model, (torch.randn(2, 3, 16, 16),), dynamic_shapes=sides())
    runs: list[Callable[[Tensor], Any]] = [program.module()]
    if (name, options) in EVERYWHERE:
        runs.append(in_onnx_runtime(program, tmp_path / "model.onnx"))
    for size in ((16, 16), (8, 8), (24, 20), (72, 64)):
        images = torch.randn(3, 3, *size)
        for run in runs:
            torch.testing.assert_close(run(images).detach(), model(images).detach(), rtol=0, atol=1e-5)


def in_onnx_runtime(program: torch.export.ExportedProgram, file: Path) -> Callable[[Tensor], Tensor]:
    """Return a function that computes a program's outputs from a file in ONNX."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    onnx: Any = torch.onnx
    onnx.export(program, (), file, input_names=["x"], dynamo=True, verbose=False)
    session = runtime.InferenceSession(file)
    return lambda images: torch.as_tensor(session.run(None, {"x": images.numpy()})[0])
