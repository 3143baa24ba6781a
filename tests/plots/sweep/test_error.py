"""Error curves and fits: what is drawn is what is in the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_cases import MEANS, bands, curves, end_labels, legend_texts, one_run, x_of, y_of
from matplotlib.colors import same_color

from vision.plots import plot_error
from vision.plots.layout.style import COLOURS, STYLES


@dataclass
class PowerLaw:
    label: str
    sizes: Sequence[float] = (100, 1000)

    def predict(self, sizes: Any) -> Any:
        return 2.0 * np.asarray(sizes) ** -0.25

    def band(self, sizes: Any) -> Any:
        return 0.9 * self.predict(sizes), 1.1 * self.predict(sizes)

    def __str__(self):
        return f"{self.label}: error = 2 n^-0.25; predicts much"


def test_error_is_1_minus_the_mean_with_its_interval_in_plain_percents():
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
    assert [text.get_text() for text in end_labels(panel)] == ["CNN", "ViT"] and not legend_texts(figure)


def test_ticks_of_a_narrow_span_of_errors_are_percents_too():
    (panel,) = plot_error(curves({"CNN": [0.32, 0.4, 0.48]}), title="t").axes
    ticks = [text.get_text() for text in panel.get_yticklabels()]
    assert len(ticks) >= 3 and all(text.endswith("%") and text[:-1].isdecimal() for text in ticks)


def test_a_fit_is_a_thin_line_with_a_band_up_to_its_largest_size_and_its_formula_is_below():
    fits = [PowerLaw("ViT"), PowerLaw("CNN")]
    figure = plot_error(curves(), fits, title="t", notes="n = 3")
    (panel,) = figure.axes
    lines = {str(line.get_label()): line for line in panel.get_lines()}
    lines = {label: line for label, line in lines.items() if label.startswith("_fit")}
    assert list(lines) == ["_fit of ViT", "_fit of CNN"]
    for order, label in enumerate(MEANS):
        line = lines[f"_fit of {label}"]
        x, y = x_of(line), y_of(line)
        assert (x[0], x[-1]) == pytest.approx((100, 1000))
        np.testing.assert_allclose(y, 2 * x**-0.25)
        assert same_color(line.get_color(), COLOURS[order]) and line.get_linestyle() == STYLES[order]
        assert line.get_linewidth() < 1
    box = bands(panel)[0].get_paths()[0].get_extents()
    assert (box.x0, box.x1) == pytest.approx((100, 1000)) and box.y1 == pytest.approx(1.1 * 2 * 100**-0.25)
    # The points are not joined if there is a fit.
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


def test_an_error_on_linear_axes_has_round_percents_and_its_runs():
    runs = pd.DataFrame({"label": "CNN", "train_size": [100, 100], "score": [0.05, 0.33]})
    figure = plot_error(curves(), title="t", runs=runs, scale="linear")
    (panel,) = figure.axes
    assert panel.get_xscale() == panel.get_yscale() == "linear" and panel.get_ylim()[1] > 0.95
    assert {"20%", "40%", "60%"} <= {text.get_text() for text in panel.get_yticklabels()}
    assert panel.get_xlabel() == "training images"
    dots = next(line for line in panel.get_lines() if line.get_label() == "_runs")
    np.testing.assert_allclose(y_of(dots), [0.95, 0.67])
