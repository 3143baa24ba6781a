"""Receptive fields over an image: what is drawn is what is in the masks."""

from dataclasses import dataclass

import numpy as np
import pytest
from figure_cases import png, position_of, values_of
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from vision.plots.model.receptive_fields import COMPOSED, DIRECT, plot_fields


@dataclass
class Layer:
    name: str
    direct: NDArray[np.bool_]
    composed: NDArray[np.bool_]


def square(side, *, height=12, width=16):
    mask = np.zeros((height, width), dtype=bool)
    mask[6 - side // 2 : 6 - side // 2 + side, 8 - side // 2 : 8 - side // 2 + side] = True
    return mask


def layers(count=2):
    return [Layer(f"conv{i}", square(2 + i), square(4 + 2 * i)) for i in range(count)]


@pytest.mark.parametrize("colour", [False, True])
def test_unseen_pixels_are_dark_seen_ones_bright_and_direct_ones_tinted(colour):
    image = np.full((12, 16, 3) if colour else (12, 16), 0.5)
    figure = plot_fields(image, layers(), title="fields")
    assert png(figure)
    shown = [panel for panel in figure.axes if panel.images]
    assert len(shown) == 2
    for panel, layer in zip(shown, layers(), strict=True):
        pixels = np.asarray(values_of(panel.images[0]))
        unseen, seen = pixels[~layer.composed], pixels[layer.composed & ~layer.direct]
        assert len(np.unique(unseen)) == len(np.unique(seen)) == 1 and seen.min() > unseen.max() + 0.3
        tint, direct = pixels[layer.direct], np.array(to_rgb(DIRECT))
        assert (np.abs(tint - direct) < np.abs(seen[0] - direct)).all()


def test_titles_name_the_layer_and_the_extents_and_the_outline_is_at_the_fields_edge():
    figure = plot_fields(np.zeros((12, 16)), layers(1), title="fields")
    (panel,) = figure.axes
    assert panel.get_title() == "conv0\ndirectly 2 x 2 px\nin all 4 x 4 px"
    outlines = {tuple(np.round(np.asarray(c.get_edgecolor())[0, :3], 3)): c for c in panel.collections}
    for colour, edges in ((COMPOSED, (5.5, 3.5, 9.5, 7.5)), (DIRECT, (6.5, 4.5, 8.5, 6.5))):
        (path,) = outlines[tuple(np.round(to_rgb(colour), 3))].get_paths()
        box = path.get_extents()
        assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx(edges)
    (body,) = figure.subfigs
    (legend,) = body.legends
    assert len(legend.get_texts()) == 3


@pytest.mark.filterwarnings("error")
def test_a_field_over_the_whole_image_or_nothing_can_be_drawn():
    everything, nothing = np.ones((12, 16), dtype=bool), np.zeros((12, 16), dtype=bool)
    figure = plot_fields(np.zeros((12, 16)), [Layer("full", nothing, everything)], title="fields")
    assert png(figure)
    assert figure.axes[0].get_title() == "full\ndirectly 0 x 0 px\nin all 12 x 16 px"


def test_many_layers_take_several_rows():
    figure = plot_fields(np.zeros((12, 16)), layers(4) * 2, title="fields")
    grid = position_of(figure.axes[0]).get_gridspec()
    assert (grid.nrows, grid.ncols) == (3, 3) and sum(bool(panel.images) for panel in figure.axes) == 8


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"image's size \(8, 8\), got \(12, 16\) for conv0"):
        plot_fields(np.zeros((8, 8)), layers(1), title="fields")
    with pytest.raises(ValueError, match="at least one layer"):
        plot_fields(np.zeros((8, 8)), [], title="fields")
