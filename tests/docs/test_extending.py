"""The mixer on the page about extensions runs, and has the field and the options that the page describes."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import torch

from vision.attention.options import option_names
from vision.patches import Grid

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()


def test_the_mixer_on_the_page_attends_in_its_row_and_column():
    (code,) = re.findall(r"^ *```python\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(dedent(code), names)
    mixer = names["AxialAttention"](8, Grid(4, 5), reach=2, num_heads=2, relative_bias=True)
    x = torch.randn(2, 20, 8)
    assert mixer(x).shape == x.shape
    steps = (Grid(4, 5).coordinates()[None] - Grid(4, 5).coordinates()[:, None]).abs()
    wanted = (steps.amin(-1) == 0) & (steps.amax(-1) <= 2)
    assert torch.equal(mixer.field.mask(), wanted)
    assert torch.equal(mixer.attention_map(x)[0, 0] > 0, wanted)
    assert {"reach", "num_heads", "backend", "device", "dtype"} <= set(option_names(names["AxialAttention"]))
