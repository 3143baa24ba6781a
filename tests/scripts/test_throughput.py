"""The figure of throughput: one line per mixer through the given numbers, both axes on log scales."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from throughput import plot_throughput

TABLE = pd.DataFrame(
    [("local", 1024, 5e5), ("local", 256, 6e5), ("full", 256, 2e5), ("full", 1024, 7e4)],
    columns=["mixer", "tokens", "tokens per s"],
)


def test_one_line_per_mixer_by_length_on_log_scales():
    figure = plot_throughput(TABLE, title="Throughput", notes="torch 2")
    figure.savefig(BytesIO(), format="png")
    (panel,) = figure.axes
    lines = {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in panel.lines}
    assert lines == {"local": [[256, 6e5], [1024, 5e5]], "full": [[256, 2e5], [1024, 7e4]]}
    assert panel.get_xscale() == panel.get_yscale() == "log"
    assert [text.get_text() for text in panel.get_xticklabels()] == ["256", "1,024"]
    assert len({(line.get_color(), line.get_marker()) for line in panel.lines}) == 2
    assert figure.get_supxlabel() == "torch 2"


def test_tables_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="got none named tokens per s"):
        plot_throughput(TABLE[["mixer", "tokens"]], title="Throughput")
    with pytest.raises(ValueError, match="must have rows"):
        plot_throughput(TABLE.iloc[:0], title="Throughput")
