"""The factory of mixers: unknown names and options, and options that several mixers share."""

from typing import Any

import pytest
import torch
from mixer_checks import GRID

from vision.mixers import (
    create_mixer,
    mixer_names,
    option_names,
)


def test_errors_list_what_exists():
    with pytest.raises(ValueError, match=r"self_attention, local_attention, .*; got 'mamba'"):
        create_mixer("mamba", 8, GRID)
    with pytest.raises(ValueError, match=r"no option kernel; it has kernel_size, dilation"):
        create_mixer("local_attention", 8, GRID, kernel=3)
    with pytest.raises(ValueError, match="must be odd"):
        create_mixer("convolution", 8, GRID, kernel_size=2)
    with pytest.raises(ValueError, match=r"num_heads=3; 1, 2, 4, 8 would fit"):
        create_mixer("self_attention", 8, GRID, num_heads=3)


OPTIONS = {
    *("num_heads", "head_dim", "qkv_bias", "v_bias", "backend", "device", "dtype"),
    *("relative_bias", "quadratic_bias", "rotary", "field"),
}


@pytest.mark.parametrize("name", [name for name in mixer_names() if name.endswith("_attention")])
def test_an_option_that_a_mixer_does_not_have_is_refused_by_its_class_too(name):
    mixer = type(create_mixer(name, 8, GRID))
    for option in OPTIONS - set(option_names(name)):
        with pytest.raises(TypeError, match=option):
            mixer(8, GRID, **{option: True})


def test_options_shared_by_mixers_are_listed_and_reach_the_attention():
    shared = ("num_heads", "head_dim", "backend", "device", "dtype")
    for name in ("self_attention", "static_attention", "graph_attention"):
        assert set(shared) < set(option_names(name))
        mixer: Any = create_mixer(
            name, 8, GRID, num_heads=3, head_dim=5, backend="dense", dtype=torch.float64
        )
        assert (mixer.num_heads, mixer.head_dim, mixer.backend) == (3, 5, "dense")
        assert mixer.proj.weight.shape == (8, 15) and mixer.proj.weight.dtype == torch.float64
