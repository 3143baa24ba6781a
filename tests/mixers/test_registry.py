"""A mixer of one's own: every backbone takes it, with solved widths; what cannot work is refused."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from vision.attention import MultiHeadAttention
from vision.entry_points import BACKBONES
from vision.fields import Field, convolution, full
from vision.mixers import create_mixer, mixer_names, option_names, register_mixer, registry
from vision.patches import Grid


def cross(grid: Grid, reach: int = 3) -> Field:
    return convolution(grid, (1, 2 * reach + 1), padding=(0, reach)) | convolution(
        grid, (2 * reach + 1, 1), padding=(reach, 0)
    )


class Axial(MultiHeadAttention):
    """Three heads, so that not every multiple of 8 is a width."""

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        num_heads: int = 3,
        reach: int = 2,
        relative_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        dd = {"device": device, "dtype": dtype}
        super().__init__(dim, num_heads, field=cross(grid, reach), relative_bias=relative_bias, **dd)


class Mean(nn.Module):
    def __init__(self, dim: int, grid: Grid, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1, keepdim=True).expand_as(x)


@pytest.fixture
def own() -> Iterator[None]:
    before = dict(registry._mixers)
    register_mixer("axial")(Axial)
    register_mixer("mean")(Mean)
    yield
    registry._mixers.clear()
    registry._mixers.update(before)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_takes_it_with_solved_widths(own, name):
    for mixer in ("axial", "mean"):
        model: Any = timm.create_model(name, img_size=16, patch_size=4, mixer=mixer, params=60_000)
        assert abs(sum(p.numel() for p in model.parameters()) - 60_000) <= 0.02 * 60_000
        assert {type(block.mixer).__name__ for block in model.blocks} == {mixer.title()}
        assert model(torch.randn(2, 3, 16, 16)).shape == (2, 10)


def test_its_options_are_known_by_name(own):
    assert {"reach", "relative_bias", "device"} <= set(option_names("axial"))
    assert mixer_names()[-2:] == ("axial", "mean")
    mixer: Any = create_mixer("axial", 12, Grid(4, 5), reach=1)
    assert torch.equal(mixer.field.mask(), cross(Grid(4, 5), 1).mask())
    with pytest.raises(ValueError, match="mixer 'axial' has no option kernel_size"):
        create_mixer("axial", 12, Grid(4, 5), kernel_size=3)


def test_it_is_registered_once_and_with_device_and_dtype(own):
    register_mixer("axial")(Axial)  # the module is imported again
    with pytest.raises(ValueError, match=r"'axial' is already registered, by .*test_registry"):
        register_mixer("axial")(Mean)
    with pytest.raises(ValueError, match=r"'self_attention' is already registered, by vision\.mixers"):
        register_mixer("self_attention")(Mean)

    class Plain(nn.Module):
        def __init__(self, dim: int, grid: Grid) -> None:
            super().__init__()

    with pytest.raises(ValueError, match=r"must take .*Plain has no argument device, dtype"):
        register_mixer("plain")(Plain)


@pytest.fixture
def my_fields(monkeypatch) -> ModuleType:
    module = ModuleType("my_fields")
    module.cross, module.Cross = cross, Axial  # type: ignore[attr-defined]
    module.first = lambda grid: full(grid)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_fields", module)
    return module


@pytest.mark.parametrize("name", ["field_vit", "field_static"])
def test_a_field_by_its_name_in_a_model(my_fields, name):
    options = {"field": "my_fields:cross", "field_options": {"reach": 1}}
    arguments: dict[str, Any] = {"img_size": 20, "patch_size": 4, "mixer_options": options}
    model: Any = timm.create_model(name, params=60_000, **arguments)
    mask = cross(Grid(5, 5), 1).mask()
    for block in model.blocks:
        assert (
            torch.equal(block.mixer.field.mask(), mask) and block.mixer.field is model.blocks[0].mixer.field
        )
        weights = block.mixer.attention_map(torch.randn(1, 25, model.embed_dim))
        assert torch.equal(weights[0, 0] > 0, mask)
    model.set_input_size(img_size=12)
    assert torch.equal(model.blocks[0].mixer.field.mask(), cross(Grid(3, 3), 1).mask())


def test_a_function_or_a_field_does_as_well():
    for field in (cross, cross(Grid(4, 4))):
        mixer: Any = create_mixer("self_attention", 8, Grid(4, 4), field=field)
        assert torch.equal(mixer.field.mask(), cross(Grid(4, 4)).mask())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"field": "cross"}, "field must be MODULE:NAME, such as my_module:my_function, got 'cross'"),
        ({"field": "not_imported:cross"}, "needs its module: import not_imported first"),
        ({"field": "os:system"}, r"os:system must be annotated with what it returns"),
        ({"field": "my_fields:nothing"}, "must be annotated with what it returns"),
        ({"field": "my_fields:first"}, r"def first\(grid: Grid\) -> Field"),
        ({"field": "my_fields:Cross"}, "must be annotated with what it returns"),
        ({"field": "my_fields:cross", "field_options": {"far": 1}}, "do not fit .* argument 'far'"),
        ({"field": full(Grid(4, 4)), "field_options": {"far": 1}}, "for a finished field"),
        ({"field": full(Grid(5, 4))}, "field must be on Grid"),
        ({"field": lambda grid: 1}, "must return a Field, got int"),
    ],
)
def test_what_is_no_field_is_refused(my_fields, options, message):
    with pytest.raises(ValueError, match=message):
        create_mixer("self_attention", 8, Grid(4, 4), **options)
