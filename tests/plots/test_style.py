"""One look for all figures: colours that stay, files that come out alike, text that can be read."""

import re
from importlib.resources import files
from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from vision import plots
from vision.plots.layout.figure import new_figure, wrapped
from vision.plots.layout.heatmap_cells import DARK, FROM_PAPER, LIGHT, SEQUENTIAL, luminance, readable_on
from vision.plots.layout.legend import columns_of
from vision.plots.layout.line_styles import line_styles
from vision.plots.layout.style import COLOURS, GRID, INK, MARKERS, PAPER, STYLES, save
from vision.plots.layout.ticks import percents, some_of

NAMES = ["CNN", "ViT", "local attention", "no mixing"]
SIZES = (100, 250, 500, 1000, 2500, 5000)
NOTES = (
    "72 of 72 runs, n = 3 a point, band: 95% t-interval over seeds; steps 1000; bfloat16 on Intel(R) Xeon(R) "
    "Processor, 2 cores;\ntorch 2.15.0; commit f11c9c3f16; finished 2026-11-22"
)


def curves(names=NAMES, sizes=SIZES):
    rows = [
        {"data": "cifar10-jpeg", "label": name, "train_size": size, "n": 3, "mean": 0.2 + 0.05 * i + 0.03 * k}
        for k, name in enumerate(names)
        for i, size in enumerate(sizes)
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=table["mean"] - 0.02, high=table["mean"] + 0.02)


def every_figure():
    table = curves()
    both = {"title": "Test accuracy against training-set size: cifar10-jpeg", "notes": NOTES}
    fields = table.assign(field=table["label"].map(NAMES.index), kind="CNN")
    learning = table.assign(seed=0, step=table["train_size"], val_accuracy=table["mean"]).assign(
        train_size=500
    )
    last = table[table["train_size"] == 5000].assign(params=[1e4, 4e4, 2e5, 1e6], macs=[1e6, 2e6, 8e6, 9e6])
    classes = pd.concat([table.assign(**{"class": name}) for name in ("cat", "dog", "ship")])
    return {
        "accuracy": lambda: plots.plot_accuracy(table, **both),
        "accuracy in panels": lambda: plots.plot_accuracy(table, line="data", panel="label", **both),
        "error": lambda: plots.plot_error(table, **both),
        "field map": lambda: plots.plot_field_map(fields, y="field", panel="kind", **both),
        "gain": lambda: plots.plot_difference(
            table[table["label"] == "CNN"], first="CNN", second="ViT", **both
        ),
        "overfit": lambda: plots.plot_train_test_gap(table.assign(mean=0.9), table, **both),
        "steps": lambda: plots.plot_learning_curves(learning, **both),
        "cost": lambda: plots.plot_cost(last, **both),
        "confusion": lambda: plots.plot_confusion(np.eye(4) + 1, NAMES, **both),
        "classes": lambda: plots.plot_class_accuracy(classes, **both),
    }


def texts_of(figure):
    shown = [one for one in figure.findobj(matplotlib.text.Text) if one.get_text() and one.get_visible()]
    return [one for one in shown if figure.bbox.overlaps(one.get_window_extent())]


@pytest.mark.parametrize("name", every_figure())
def test_a_figure_is_a_column_wide_its_text_can_be_read_on_a_phone_and_lies_inside(name):
    figure = every_figure()[name]()
    assert figure.get_figwidth() == 5.0
    pixels = 360 / (72 * figure.get_figwidth())  # CSS pixels a point where the figure is 360 of them wide
    texts = texts_of(figure)
    small = {one.get_text() for one in texts if one.get_fontsize() * pixels < 9}
    assert small == {figure.get_supxlabel()} and all(one.get_fontsize() * pixels >= 8 for one in texts)
    assert figure.get_supxlabel().replace("\n", " ") == NOTES.replace("\n", " ")
    boxes = [one.get_window_extent() for one in texts]
    width, height = figure.bbox.size
    assert all(box.x0 > -3 and box.x1 < width + 3 and box.y0 > -3 and box.y1 < height + 3 for box in boxes)


@pytest.mark.parametrize("name", every_figure())
def test_a_legend_covers_no_panel_and_the_title_no_legend(name):
    figure = every_figure()[name]()
    legends = [legend for body in figure.subfigs for legend in body.legends]
    boxes = [legend.get_window_extent() for legend in legends]
    title = figure._suptitle.get_window_extent()
    for box in boxes:
        assert not any(box.overlaps(panel.get_window_extent()) for panel in figure.axes)
        assert not box.overlaps(title) and box.x0 > 0 and box.x1 < figure.bbox.width
    assert not any(panel.get_legend() for panel in figure.axes)


def test_the_same_figure_makes_the_same_files(tmp_path):
    first, again = (
        save(plots.plot_accuracy(curves(), title="digits", notes=NOTES), tmp_path / folder / "accuracy.v2")
        for folder in ("first", "again")
    )
    assert [path.name for path in first] == ["accuracy.v2.png", "accuracy.v2.svg", "accuracy.v2.pdf"]
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    pdf = first[2].read_bytes()
    assert pdf.startswith(b"%PDF") and b"CreationDate" not in pdf and b"/Type3" not in pdf


def test_an_svg_holds_its_colours_literally_and_its_words_as_words(tmp_path):
    _, path, _ = save(plots.plot_accuracy(curves(), title="digits", notes=NOTES), tmp_path / "accuracy")
    svg = path.read_text()
    for colour in (INK, GRID, PAPER, *COLOURS[: len(NAMES)]):
        assert re.fullmatch("#[0-9a-f]{6}", colour) and colour in svg
    assert all(f">{word}</text>" in svg for word in ("digits", *NAMES, "test accuracy (%)", "5,000"))
    assert "font-family: 'DejaVu Sans', 'Verdana', sans-serif" in svg
    assert "<dc:date>" not in svg


def test_a_figure_keeps_its_look_whatever_is_set_where_it_is_saved(tmp_path):
    def ticks():
        figure = plots.plot_accuracy(curves(), title="digits")
        with matplotlib.rc_context({"xtick.labelsize": 20, "text.color": "red"}):
            figure.savefig(tmp_path / "accuracy.png")
        return [one.get_fontsize() for one in figure.axes[0].get_xticklabels()]

    assert ticks() == [9.0] * len(SIZES)
    assert matplotlib.rcParams["axes.spines.top"]  # and nothing is set for others


def test_the_style_file_is_in_the_package():
    assert "axes.prop_cycle" in files("vision.plots.layout").joinpath("vision.mplstyle").read_text()


def test_lines_and_points_are_told_apart_in_grey():
    for count in (4, 7, 14, 28):
        for values in ([f"model {i}" for i in range(count)], list(range(count))):
            found = list(line_styles(values).values())
            for other in ("linestyle", "fillstyle"):
                assert len({(look["marker"], look[other]) for look in found}) == count
    assert len(set(MARKERS)) == len(MARKERS) == len(set(COLOURS)) and len(set(STYLES)) == len(STYLES)
    assert line_styles(["b"], ["a", "b", "c"]) == {"b": line_styles(["a", "b", "c"])["b"]}
    assert line_styles(["a"], ["b"])["a"]
    # Numbers go from dark to light, so that their order is seen in grey too.
    shades = [luminance(to_rgb(look["color"])) for look in line_styles([1, 3, 5, 7, 9, 15]).values()]
    assert all(dark < light for dark, light in pairwise(shades))


@pytest.mark.parametrize(("name", "rises"), [(SEQUENTIAL, True), (FROM_PAPER, False)])
def test_a_maps_lightness_only_rises_or_only_falls(name, rises):
    light = np.array([luminance(colour) for colour in colormaps[name](np.linspace(0, 1, 64))])
    assert (np.diff(light if rises else -light) > 0).all()
    assert np.ptp(light) > 0.5


@pytest.mark.parametrize("name", [SEQUENTIAL, FROM_PAPER])
def test_what_is_written_on_a_cell_can_be_read(name):
    for colour in colormaps[name](np.linspace(0, 1, 64)):
        parts = sorted((luminance(colour), luminance(to_rgb(readable_on(colour)))))
        assert (parts[1] + 0.05) / (parts[0] + 0.05) >= 4  # WCAG asks 3 of large text, 4.5 of small
    assert {readable_on((0, 0, 0)), readable_on((1, 1, 1))} == {DARK, LIGHT} and PAPER not in (DARK, LIGHT)


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


def test_a_long_title_and_long_notes_take_more_lines_and_leave_the_panels_their_room():
    short, _ = new_figure("title", height=3)
    long, _ = new_figure("a title of many words " * 8, NOTES, height=3)
    assert short.get_suptitle() == "title" and long.get_suptitle().count("\n") >= 2
    assert long.get_figheight() > short.get_figheight() + 0.5 and short.get_supxlabel() == ""
    assert wrapped("of seeds n = 3 a point", 0.6, 8).split("\n") == ["of seeds", "n = 3 a", "point"]
    assert max(map(len, wrapped(NOTES, 5, 8).split("\n"))) <= 83


def test_a_legend_has_the_columns_that_fit():
    assert columns_of(["CNN", "ViT"], 5) == 2 and columns_of(["a" * 60, "b" * 60], 5) == 1
    assert columns_of([f"model {i}" for i in range(5)], 3.5) == 3  # 3 and 2 rather than 4 and 1


def test_percents_are_round_whatever_the_span():
    assert percents(0.31, 0.77) == [0.4, 0.5, 0.6, 0.7]
    assert (
        percents(0.52, 0.58) == [0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58] or len(percents(0.52, 0.58)) >= 3
    )
    assert percents(0.004, 0.6) == [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]


def test_of_many_names_every_second_is_written_and_of_many_sizes_those_with_room():
    assert some_of(5, 12).tolist() == [0, 1, 2, 3, 4] and some_of(20, 12).tolist() == list(range(0, 20, 2))
    sizes = (100, 110, 120, 50_000)
    panel = plots.plot_accuracy(curves(sizes=sizes), title="t").axes[0]
    assert list(panel.get_xticks()) == list(sizes)
    assert [text.get_text() for text in panel.get_xticklabels()] == ["100", "", "", "50,000"]
