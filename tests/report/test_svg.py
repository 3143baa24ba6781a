"""Figures inside a page: they use its colours, unique ids, and text that stays text."""

import re

import pandas as pd

from vision.report.svg import inline_svg


def test_a_figure_takes_the_colours_of_its_page_and_keeps_its_names_to_itself():
    from vision.plots import plot_accuracy

    curves = pd.DataFrame(
        {"data": "d", "label": "#262626", "train_size": [1, 2], "n": 1, "mean": 0.5, "low": 0.4, "high": 0.6}
    ).assign(median=0.5, iqm=0.5, std=0.1)
    svg = str(inline_svg(plot_accuracy(curves, title="t"), name="one", alt='a "quoted" <alt>'))
    assert "var(--ink)" in svg and "#ffffff" not in svg.lower().replace("&#", "")
    assert ">#262626</text>" in svg, "a model may be called after a colour"
    assert all(name.startswith("one-") for name in re.findall(r'\bid="([^"]*)"', svg))
    assert 'aria-label="a &quot;quoted&quot; &lt;alt&gt;"' in svg


def test_powers_of_ten_keep_their_exponents():
    from soft_convolution import plot_soft_error

    rows = [("inside", ring, a, 10.0**-a, 10.0**-a) for ring in (False, True) for a in (1, 3, 5)]
    names = ["region", "ring", "alpha", "measured", "bound"]
    figure = plot_soft_error(pd.DataFrame(rows, columns=names), title="$t$")
    svg = str(inline_svg(figure, name="soft", alt="a"))
    assert "mathdefault" not in svg and "$t$" in svg
