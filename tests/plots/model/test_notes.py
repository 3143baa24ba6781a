"""Figures of models: the notes are below."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_cases import png

from vision.plots import (
    plot_attention_distance,
    plot_cka,
    plot_heads,
    plot_heatmap,
    plot_position_similarity,
)


@pytest.mark.parametrize("draw", ["heatmap", "heads", "positions", "cka", "distance"])
def test_the_small_print_is_below(draw):
    heads = pd.DataFrame([("a", 0, 1.0, 2.0, 0.5)], columns=["layer", "head", "row", "col", "width"])
    distance = pd.DataFrame([("m", 1, 4.0, "attention")], columns=["model", "depth", "distance", "kind"])
    text: dict[str, Any] = {"title": "t", "notes": "commit 0123"}
    figure = {
        "heatmap": lambda: plot_heatmap([("a", None, np.eye(2))], (2, 2), label="share", **text),
        "heads": lambda: plot_heads(heads, **text),
        "positions": lambda: plot_position_similarity(np.ones((2, 2, 2, 2)), **text),
        "cka": lambda: plot_cka(pd.DataFrame(np.eye(2)), rows="one", columns="other", **text),
        "distance": lambda: plot_attention_distance(distance, **text),
    }[draw]()
    assert png(figure)
    assert figure.get_supxlabel() == "commit 0123" and figure.get_suptitle() == "t"
