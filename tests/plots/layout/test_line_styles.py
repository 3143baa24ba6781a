"""Styles of lines: they differ without colour too."""

from itertools import pairwise

from matplotlib.colors import to_rgb

from vision.plots.layout.heatmap_cells import luminance
from vision.plots.layout.line_styles import line_styles
from vision.plots.layout.style import COLOURS, MARKERS, STYLES


def test_lines_and_points_can_be_distinguished_in_grey():
    for count in (4, 7, 14, 28):
        for values in ([f"model {i}" for i in range(count)], list(range(count))):
            styles = list(line_styles(values).values())
            assert len({(look["marker"], look["linestyle"]) for look in styles}) == count
            assert len({(look["marker"], look["fillstyle"]) for look in styles}) == count
    assert len(set(MARKERS)) == len(MARKERS) == len(set(COLOURS)) and len(set(STYLES)) == len(STYLES)
    assert line_styles(["b"], ["a", "b", "c"]) == {"b": line_styles(["a", "b", "c"])["b"]}
    assert line_styles(["a"], ["b"])["a"]
    # Numbers go from dark to light, so that their order is seen in grey too.
    shades = [luminance(to_rgb(look["color"])) for look in line_styles([1, 3, 5, 7, 9, 15]).values()]
    assert all(dark < light for dark, light in pairwise(shades))
