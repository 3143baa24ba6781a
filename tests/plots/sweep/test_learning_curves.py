"""Learning curves: what is drawn is what is in the table."""

import numpy as np
import pandas as pd
import pytest
from figure_cases import MEANS, labelled, legend_texts, position_of, x_of, y_of

from vision.plots import plot_learning_curves


def learning(sizes=(500, 1000)):
    rows = [
        {"label": label, "train_size": size, "seed": seed, "step": step, "val_accuracy": base + seed / 10}
        for label in MEANS
        for size in sizes
        for seed in (0, 1)
        for step, base in ((10, 0.2), (20, 0.4), (30, 0.6))
    ]
    return pd.DataFrame(rows).assign(train_loss=lambda table: 2 - table["val_accuracy"])


def test_one_panel_per_size_with_a_faint_line_per_seed_and_their_mean():
    figure = plot_learning_curves(learning(), title="t")
    assert [panel.get_title() for panel in figure.axes] == ["500 training images", "1,000 training images"]
    panel = figure.axes[0]
    for line in labelled(panel).values():
        assert x_of(line).tolist() == [10, 20, 30]
        np.testing.assert_allclose(y_of(line), [25, 45, 65])
    faint = [line for line in panel.get_lines() if line.get_label() == "_a seed"]
    assert len(faint) == 4 and all(line.get_linewidth() < 1 for line in faint)
    assert all((line.get_alpha() or 1) < 0.5 for line in faint)
    np.testing.assert_allclose(y_of(faint[1]), [30, 50, 70])
    assert legend_texts(figure) == ["CNN", "ViT"]


def test_the_mean_is_of_steps_that_all_seeds_have_and_a_loss_is_not_in_percent():
    table = learning((500,)).query("not (label == 'CNN' and seed == 1 and step == 30)")
    (panel,) = plot_learning_curves(table, title="t", metric="train_loss").axes
    line = labelled(panel)["CNN"]
    assert x_of(line).tolist() == [10, 20]
    np.testing.assert_allclose(y_of(line), [1.75, 1.55])
    assert panel.get_ylabel() == "training loss" and panel.get_xlabel() == "optimizer steps"


def test_one_seed_is_drawn_once():
    (panel,) = plot_learning_curves(learning((500,)).query("seed == 0"), title="t").axes
    assert len(panel.get_lines()) == 2
    with pytest.raises(ValueError, match=r"learning must have columns .*, got none named val_f1"):
        plot_learning_curves(learning(), title="t", metric="val_f1")


def test_three_sizes_fill_one_row():
    table = pd.concat([learning(), learning().assign(train_size=2000)])
    figure = plot_learning_curves(table, title="t")
    assert len({position_of(panel).rowspan.start for panel in figure.axes}) == 1 and len(figure.axes) == 3
    assert [panel.get_title() for panel in figure.axes] == ["500 images", "1,000 images", "2,000 images"]
