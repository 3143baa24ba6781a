"""Values over the pixels of an image: what is drawn is what was given."""

import numpy as np
import pytest
from figure_cases import png, values_of

from vision.plots import plot_heatmap


def test_values_lie_over_their_image_in_grey_and_one_scale_serves_all_panels():
    image, values = np.random.default_rng(0).random((20, 30, 3)), np.array([[1.0, 2.0], [0.0, 4.0]])
    panels = [("with", image, values), ("without", None, values / 2)]
    figure = plot_heatmap(panels, (20, 30), title="t", label="share", notes="n = 2")
    above, _, one, other = figure.axes[:4]
    assert [len(ax.images) for ax in (above, one, other)] == [1, 2, 1]
    assert np.array_equal(values_of(above.images[0]), image)
    assert np.array_equal(values_of(one.images[0]), image.mean(axis=2))
    assert np.array_equal(values_of(one.images[1]), values)
    extents = [tuple(drawing.get_extent()) for drawing in (*one.images, *other.images)]
    assert extents == [(0, 30, 20, 0)] * 3 and png(figure)
    assert {ax.images[-1].norm.vmax for ax in (one, other)} == {4.0}
    assert len(plot_heatmap(panels[1:], (20, 30), title="t", label="share").axes) == 2  # and the colour bar
    with pytest.raises(ValueError, match="at least one panel"):
        plot_heatmap([], (20, 30), title="t", label="share")


def test_a_logarithmic_scale_leaves_out_what_is_0():
    values = np.array([[1.0, 1e-2], [0.0, 1e-9]])
    figure = plot_heatmap([("a", None, values)], (2, 2), title="t", label="gradient", log=True)
    shown = figure.axes[0].images[0]
    assert values_of(shown).mask.tolist() == [[False, False], [True, False]]
    assert (shown.norm.vmin, shown.norm.vmax) == pytest.approx((1e-4, 1.0)) and png(figure)
    assert np.asarray(shown.norm(np.array([1e-2]))) == pytest.approx(0.5)
    assert png(plot_heatmap([("a", None, 0 * values)], (2, 2), title="t", label="gradient", log=True))
