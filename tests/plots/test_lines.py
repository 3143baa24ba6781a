"""Figures of lines against training-set size or steps: what is drawn is what is in the table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import same_color

from vision.plots import plot_accuracy, plot_difference, plot_error, plot_learning_curves, plot_train_test_gap
from vision.plots.layout.style import COLOURS, PAPER, STYLES

SIZES = [100, 1000, 10_000]
MEANS = {"CNN": [0.3, 0.5, 0.7], "ViT": [0.2, 0.5, 0.8]}


def curves(means=MEANS, half=0.05, data="digits"):
    rows = [
        {"data": data, "label": label, "train_size": size, "n": 3, "mean": mean}
        for label, values in means.items()
        for size, mean in zip(SIZES, values, strict=True)
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def one_run(table):
    return table.assign(n=1, low=np.nan, high=np.nan)


def bands(panel):
    return [band for band in panel.collections if isinstance(band, PolyCollection)]


def labelled(panel):
    return {line.get_label(): line for line in panel.get_lines() if not line.get_label().startswith("_")}


def legend_texts(figure):
    return [text.get_text() for body in figure.subfigs for one in body.legends for text in one.get_texts()]


@dataclass
class PowerLaw:
    label: str
    sizes: tuple[int, ...] = (100, 1000)

    def predict(self, sizes):
        return 2.0 * np.asarray(sizes) ** -0.25

    def band(self, sizes):
        return 0.9 * self.predict(sizes), 1.1 * self.predict(sizes)

    def __str__(self):
        return f"{self.label}: error = 2 n^-0.25; foretells much"


# --- accuracy


@pytest.mark.parametrize("centre", ["mean", "median", "iqm"])
def test_accuracy_draws_the_column_that_is_asked_for(centre):
    table = curves()
    table = table.assign(median=table["mean"] + 0.01, iqm=table["mean"] - 0.01)
    (panel,) = plot_accuracy(table, title="t", centre=centre).axes
    for label, line in labelled(panel).items():
        np.testing.assert_allclose(line.get_ydata(), 100 * table.loc[table["label"] == label, centre])
        assert line.get_xdata().tolist() == SIZES
    ends = bands(panel)[0].get_paths()[0].get_extents()
    assert (ends.y0, ends.y1) == pytest.approx((25, 75))
    with pytest.raises(ValueError, match=r"curves must have columns .*, got none named trimmed"):
        plot_accuracy(table, title="t", centre="trimmed")


def test_one_run_has_no_band():
    (panel,) = plot_accuracy(one_run(curves()), title="t").axes
    assert not panel.collections and len(labelled(panel)) == 2


def test_panels_stand_in_rows_of_two_with_one_legend_and_named_axes():
    table = pd.concat([curves(data=name) for name in ("a", "b", "c")])
    figure = plot_accuracy(table, title="t")
    places = [panel.get_subplotspec() for panel in figure.axes]
    assert [(place.rowspan.start, place.colspan.start) for place in places] == [(0, 0), (0, 1), (1, 0)]
    assert [panel.get_title() for panel in figure.axes] == ["a", "b", "c"]
    assert legend_texts(figure) == ["CNN", "ViT"] and figure.get_figwidth() == 5.0
    (body,) = figure.subfigs
    assert (body.get_supxlabel(), body.get_supylabel()) == (
        "training images (log scale)",
        "test accuracy (%)",
    )
    # The panel with none below it has numbers.
    assert [bool(panel.xaxis.get_tick_params()["labelbottom"]) for panel in figure.axes] == [
        False,
        True,
        True,
    ]


def test_a_line_that_only_one_panel_has_is_in_the_legend():
    table = pd.concat([curves(), curves({"MLP": [0.1, 0.2, 0.3]}, data="other")])
    assert legend_texts(plot_accuracy(table, title="t")) == ["CNN", "ViT", "MLP"]


# --- error


def test_error_is_what_the_mean_lacks_to_1_with_its_interval_in_plain_percents():
    figure = plot_error(curves(), title="t")
    (panel,) = figure.axes
    assert panel.get_xscale() == panel.get_yscale() == "log"
    for holder, (label, means) in zip(panel.containers, MEANS.items(), strict=True):
        middle, _, (bars,) = holder
        assert holder.get_label() == label
        np.testing.assert_allclose(middle.get_ydata(orig=False), 1 - np.array(means))
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, [[1 - mean - 0.05, 1 - mean + 0.05] for mean in means])
    ticks = [text.get_text() for text in panel.get_yticklabels()]
    assert ticks == ["20%", "50%"]
    assert not any(text.get_text() for text in panel.get_yticklabels(minor=True))
    assert legend_texts(figure) == ["CNN", "ViT"]


def test_ticks_of_a_narrow_span_of_errors_are_percents_too():
    (panel,) = plot_error(curves({"CNN": [0.32, 0.4, 0.48]}), title="t").axes
    ticks = [text.get_text() for text in panel.get_yticklabels()]
    assert len(ticks) >= 3 and all(text.endswith("%") and text[:-1].isdecimal() for text in ticks)


def test_a_fit_is_a_thin_line_with_a_band_up_to_its_largest_size_and_its_formula_is_below():
    fits = [PowerLaw("ViT"), PowerLaw("CNN")]
    figure = plot_error(curves(), fits, title="t", notes="n = 3")
    (panel,) = figure.axes
    lines = {line.get_label(): line for line in panel.get_lines() if line.get_label().startswith("_fit")}
    assert list(lines) == ["_fit of ViT", "_fit of CNN"]
    for order, label in enumerate(MEANS):
        line = lines[f"_fit of {label}"]
        x, y = line.get_data()
        assert (x[0], x[-1]) == pytest.approx((100, 1000))
        np.testing.assert_allclose(y, 2 * x**-0.25)
        assert same_color(line.get_color(), COLOURS[order]) and line.get_linestyle() == STYLES[order]
        assert line.get_linewidth() < 1
    box = bands(panel)[0].get_paths()[0].get_extents()
    assert (box.x0, box.x1) == pytest.approx((100, 1000)) and box.y1 == pytest.approx(1.1 * 2 * 100**-0.25)
    # The points are not joined up beside a fit.
    assert all(holder[0].get_linestyle() == "None" for holder in panel.containers)
    small = figure.get_supxlabel().replace("\n", " ")
    assert small == "n = 3; thin lines and bands: fits, ViT: error = 2 n^-0.25; CNN: error = 2 n^-0.25"
    many = {f"model {i}": MEANS["CNN"] for i in range(4)}
    small = plot_error(
        curves(many), [PowerLaw(name) for name in many], title="t", notes="n = 3"
    ).get_supxlabel()
    assert small == "n = 3; thin lines and bands: fits"


def test_an_error_without_interval_or_without_error_can_be_drawn():
    (panel,) = plot_error(one_run(curves({"CNN": [0.5, 0.9, 1.0]})), title="t").axes
    ((middle, _, (bars,)),) = panel.containers
    assert (middle.get_ydata(orig=False) > 0).all() and np.isfinite(panel.get_ylim()).all()
    assert all(np.ptp(segment[:, 1]) < 1e-3 for segment in bars.get_segments())


def test_errors_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="fits must be of CNN, ViT, got one of MLP"):
        plot_error(curves(), [PowerLaw("MLP")], title="t")
    with pytest.raises(ValueError, match="one row for each label and train_size"):
        plot_error(pd.concat([curves(), curves(data="other")]), title="t")


# --- gain


def gains(means=(0.04, 0.01, -0.03), half=0.02):
    table = pd.DataFrame({"train_size": SIZES, "n": 3, "mean": means})
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def test_gain_is_in_points_and_hollow_where_its_interval_holds_0():
    figure = plot_difference(gains(), first="CNN", second="ViT", title="t")
    (panel,) = figure.axes
    line = labelled(panel)["over ViT"]
    np.testing.assert_allclose(line.get_ydata(), [4, 1, -3])
    (hollow,) = (one for one in panel.get_lines() if one.get_label() == "_hollow")
    assert hollow.get_xdata().tolist() == [1000] and same_color(hollow.get_markerfacecolor(), PAPER)
    box = bands(panel)[0].get_paths()[0].get_extents()
    assert (box.y0, box.y1) == pytest.approx((-5, 6))
    assert legend_texts(figure) == ["CNN over ViT", "interval holds 0"]
    assert {"+4", "0", "−4"} <= {text.get_text() for text in panel.get_yticklabels()}


def test_who_is_ahead_stands_above_and_below_zero_and_on_no_band():
    (panel,) = plot_difference(gains(), first="CNN", second="ViT", title="t").axes
    above, below = panel.texts
    assert (above.get_text(), below.get_text()) == ("▲ CNN ahead", "▼ ViT ahead")
    to_data = panel.transData.inverted()
    spans = [to_data.transform(text.get_window_extent())[:, 1] for text in (above, below)]
    assert spans[0][0] > 6 and spans[1][1] < -5


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gain_of_one_sign_leaves_room_for_both_names(sign):
    means = [sign * mean for mean in (0.04, 0.05, 0.06)]
    (panel,) = plot_difference(gains(means), first="CNN", second="ViT", title="t").axes
    low, high = panel.get_ylim()
    assert low < 0 < high
    to_data = panel.transData.inverted()
    top, bottom = (to_data.transform(text.get_window_extent())[:, 1] for text in panel.texts)
    assert top[0] > 0 > bottom[1]


def test_every_crossing_is_shaded_and_said():
    crossings = [(150, 200, 300), (1200, 1900, float("inf"))]
    figure = plot_difference(gains(), first="CNN", second="ViT", title="t", crossings=crossings)
    (panel,) = figure.axes
    first, second = panel.patches
    assert (first.get_x(), first.get_width()) == (150, 150)
    assert second.get_x() == 1200 and second.get_x() + second.get_width() == panel.get_xlim()[1]
    drawn = [list(line.get_xdata()) for line in panel.get_lines()]
    assert [200, 200] in drawn and [1900, 1900] in drawn
    assert legend_texts(figure)[-2:] == ["crossing: 200 (150 to 300)", "crossing: 1,900 (1,200 or more)"]


def test_several_second_models_have_a_line_each():
    figure = plot_difference({"ViT": gains(), "MLP": gains((0.1, 0.1, 0.1))}, first="CNN", title="t")
    lines = labelled(figure.axes[0])
    np.testing.assert_allclose(lines["over MLP"].get_ydata(), [10, 10, 10])
    looks = {(line.get_marker(), line.get_color()) for line in lines.values()}
    assert len(looks) == 2 and (COLOURS[0] not in {colour for _, colour in looks})
    assert [text.get_text() for text in figure.axes[0].texts][1] == "▼ the other ahead"
    with pytest.raises(ValueError, match="differences to MLP must have columns"):
        plot_difference({"ViT": gains(), "MLP": gains()[["n"]]}, first="CNN", title="t")


def test_a_gain_of_one_run_is_hollow_and_has_no_band():
    (panel,) = plot_difference(one_run(gains()), first="CNN", second="ViT", title="t").axes
    (hollow,) = (one for one in panel.get_lines() if one.get_label() == "_hollow")
    assert not bands(panel) and hollow.get_xdata().tolist() == SIZES


# --- over- and underfit


def test_train_is_dashed_and_hollow_test_solid_and_the_gap_is_written():
    train = curves({"CNN": [1.0, 0.9, 0.8], "ViT": [1.0, 1.0, 0.85]})
    figure = plot_train_test_gap(train, curves(), title="t")
    assert [panel.get_title() for panel in figure.axes] == ["CNN", "ViT"]
    for panel, (label, means) in zip(figure.axes, MEANS.items(), strict=True):
        lines = labelled(panel)
        np.testing.assert_allclose(lines["test"].get_ydata(), 100 * np.array(means))
        np.testing.assert_allclose(lines["train"].get_ydata(), 100 * train[train["label"] == label]["mean"])
        assert (lines["train"].get_linestyle(), lines["test"].get_linestyle()) == ("--", "-")
        assert same_color(lines["train"].get_markerfacecolor(), PAPER)
        assert same_color(lines["test"].get_markerfacecolor(), lines["test"].get_color())
    # 10,000 images: gaps of 10 and 5 points, too small to write into.
    assert [[text.get_text() for text in panel.texts] for panel in figure.axes] == [
        ["70", "40"],
        ["80", "50"],
    ]
    assert legend_texts(figure) == ["train (hollow)", "test", "gap, in points"]


def test_tables_of_train_and_test_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="train and test must have one row for each label and train_size"):
        plot_train_test_gap(curves().iloc[1:], curves(), title="t")


# --- steps


def learning(sizes=(500, 1000)):
    rows = [
        {"label": label, "train_size": size, "seed": seed, "step": step, "val_accuracy": base + seed / 10}
        for label in MEANS
        for size in sizes
        for seed in (0, 1)
        for step, base in ((10, 0.2), (20, 0.4), (30, 0.6))
    ]
    return pd.DataFrame(rows).assign(train_loss=lambda table: 2 - table["val_accuracy"])


def test_learning_has_a_panel_a_size_a_faint_line_a_seed_and_their_mean():
    figure = plot_learning_curves(learning(), title="t")
    assert [panel.get_title() for panel in figure.axes] == ["500 training images", "1,000 training images"]
    panel = figure.axes[0]
    for line in labelled(panel).values():
        assert line.get_xdata().tolist() == [10, 20, 30]
        np.testing.assert_allclose(line.get_ydata(), [25, 45, 65])
    faint = [line for line in panel.get_lines() if line.get_label() == "_a seed"]
    assert len(faint) == 4 and all(line.get_alpha() < 0.5 and line.get_linewidth() < 1 for line in faint)
    np.testing.assert_allclose(faint[1].get_ydata(), [30, 50, 70])
    assert legend_texts(figure) == ["CNN", "ViT"]


def test_the_mean_is_of_steps_that_all_seeds_have_and_a_loss_is_no_percent():
    table = learning((500,)).query("not (label == 'CNN' and seed == 1 and step == 30)")
    (panel,) = plot_learning_curves(table, title="t", metric="train_loss").axes
    line = labelled(panel)["CNN"]
    assert line.get_xdata().tolist() == [10, 20]
    np.testing.assert_allclose(line.get_ydata(), [1.75, 1.55])
    assert panel.get_ylabel() == "training loss" and panel.get_xlabel() == "optimizer steps"


def test_one_seed_is_drawn_once():
    (panel,) = plot_learning_curves(learning((500,)).query("seed == 0"), title="t").axes
    assert len(panel.get_lines()) == 2
    with pytest.raises(ValueError, match=r"learning must have columns .*, got none named val_f1"):
        plot_learning_curves(learning(), title="t", metric="val_f1")
