"""The style of figures: the same files each time, whatever matplotlib's settings are."""

import re
from importlib.resources import files

import matplotlib
import numpy as np
import pytest
from figure_cases import MANY_SIZES, NAMES, NOTES, rising_curves
from matplotlib.colors import to_rgb

from vision import plots
from vision.plots.layout.style import COLOURS, GRID, INK, PAPER, save


def accuracy() -> plots.Figure:
    return plots.plot_accuracy(rising_curves(), title="digits", notes=NOTES)


@pytest.mark.slow
def test_the_same_figure_makes_the_same_files(tmp_path):
    first, again = (
        save(
            accuracy(),
            tmp_path / folder / "accuracy.v2",
        )
        for folder in ("first", "again")
    )
    assert [path.name for path in first] == ["accuracy.v2.png", "accuracy.v2.svg", "accuracy.v2.pdf"]
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    pdf = first[2].read_bytes()
    assert pdf.startswith(b"%PDF") and b"CreationDate" not in pdf and b"/Type3" not in pdf


def test_an_svg_holds_its_colours_literally_and_its_words_as_words(tmp_path):
    _, path, _ = save(accuracy(), tmp_path / "accuracy")
    svg = path.read_text()
    for colour in (INK, GRID, PAPER, *COLOURS[: len(NAMES)]):
        assert re.fullmatch("#[0-9a-f]{6}", colour) and colour in svg
    assert all(f">{word}</text>" in svg for word in ("digits", *NAMES, "test accuracy (%)", "5,000"))
    assert "font-family: 'DejaVu Sans', 'Verdana', sans-serif" in svg
    assert "<dc:date>" not in svg


def test_a_figure_keeps_its_look_whatever_is_set_where_it_is_saved(tmp_path):
    def ticks():
        figure = plots.plot_accuracy(rising_curves(), title="digits")
        with matplotlib.rc_context({"xtick.labelsize": 20, "text.color": "red"}):
            figure.savefig(tmp_path / "accuracy.png")
        return [one.get_fontsize() for one in figure.axes[0].get_xticklabels()]

    assert ticks() == [9.0] * len(MANY_SIZES)
    assert matplotlib.rcParams["axes.spines.top"]  # and nothing is set for others


def test_the_style_file_is_in_the_package():
    assert "axes.prop_cycle" in files("vision.plots.layout").joinpath("vision.mplstyle").read_text()


def test_the_colours_stay_apart_for_the_colour_blind():
    # Viénot, Brettel and Mollon (1999): what is left of a colour in deuteranopia, in linear RGB.
    blind = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    seen = [blind @ np.array(to_rgb(colour)) ** 2.2 for colour in COLOURS]
    gaps = [
        np.abs(one.clip(0, 1) ** (1 / 2.2) - other.clip(0, 1) ** (1 / 2.2)).max()
        for i, one in enumerate(seen)
        for other in seen[:i]
    ]
    assert min(gaps) > 0.1
