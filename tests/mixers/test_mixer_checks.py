"""A mixer of one's own with other arguments, or that returns other tokens, is refused in one sentence."""

import pytest
import timm
import torch
from torch import Tensor, nn

from vision import register_mixer
from vision.mixers import registry


class Base(nn.Module):
    def __init__(self, dim, grid, *, device=None, dtype=None):
        super().__init__()


@pytest.fixture(autouse=True)
def no_mixer_is_left_behind(monkeypatch):
    monkeypatch.setattr(registry, "_mixers", dict(registry._mixers))


def model_with(forward):
    mixer = type("Mine", (Base,), {"forward": forward})
    register_mixer("mine")(mixer)
    return timm.create_model("field_vit", img_size=16, mixer="mine", embed_dim=8, depth=1).eval()


@pytest.mark.parametrize(
    "mixed, got",
    [
        (lambda x: x.mean(1, keepdim=True), r"shape \(2, 1, 8\)"),  # would be broadcast, without an error
        (lambda x: x[:1], r"shape \(1, 16, 8\)"),
        (lambda x: x[:, :3], r"shape \(2, 3, 8\)"),
        (lambda x: x.flatten(1), r"shape \(2, 128\)"),
        (lambda x: None, "None"),
        (lambda x: (x, x), "Tensor|\\(tensor"),
    ],
)
def test_tokens_of_another_shape_are_refused(mixed, got):
    model = model_with(lambda self, x: mixed(x))
    with pytest.raises(ValueError, match=rf"mixer Mine must return tokens \(2, 16, 8\), .*got .*({got})"):
        model(torch.zeros(2, 3, 16, 16))


@pytest.mark.parametrize("to", [torch.float64, torch.int64])
def test_tokens_of_another_type_are_refused(to):
    model = model_with(lambda self, x: x.to(to))
    with pytest.raises(ValueError, match=rf"mixer Mine must return tokens of torch.float32, got {to}"):
        model(torch.zeros(2, 3, 16, 16))


def test_a_mixer_may_return_what_autocast_makes_of_its_tokens():
    model = model_with(lambda self, x: x.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert model(torch.zeros(2, 3, 16, 16)).shape == (2, 10)
    assert model(torch.zeros(2, 3, 16, 16)).dtype == torch.float32


def without_tokens(self, dim: int, *, device=None, dtype=None) -> None:
    raise NotImplementedError


def with_more(self, dim: int, grid: object, heads: int, *, device=None, dtype=None) -> None:
    raise NotImplementedError


def two_inputs(self, x: Tensor, y: Tensor) -> Tensor:
    raise NotImplementedError


@pytest.mark.parametrize(
    "methods, message",
    [
        ({"__init__": without_tokens}, r"mixer 'mine' must take the width of a token and the grid, .*got \("),
        ({"__init__": with_more}, r"its options as keyword-only arguments, .*got \(dim: int, grid"),
        ({"forward": two_inputs}, r"forward of mixer 'mine' must take the tokens alone, got \(self, x"),
    ],
)
def test_other_arguments_are_refused_when_the_mixer_is_registered(methods, message):
    with pytest.raises(ValueError, match=message):
        register_mixer("mine")(type("Mine", (Base,), methods))


def test_options_without_a_default_are_keyword_only():
    def needs_more(self, dim, grid, *, heads, device=None, dtype=None):
        Base.__init__(self, dim, grid)

    register_mixer("mine")(type("Mine", (Base,), {"__init__": needs_more, "forward": lambda self, x: x}))
    made = timm.create_model("field_vit", img_size=16, mixer="mine", mixer_options={"heads": 2}, depth=1)
    assert made(torch.zeros(1, 3, 16, 16)).shape == (1, 10)
