"""Ticks: round numbers, and only those with room."""

from figure_cases import rising_curves

from vision import plots
from vision.plots.layout.ticks import percents, some_of


def test_percents_are_round_whatever_the_span():
    assert percents(0.31, 0.77) == [0.4, 0.5, 0.6, 0.7]
    assert (
        percents(0.52, 0.58) == [0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58] or len(percents(0.52, 0.58)) >= 3
    )
    assert percents(0.004, 0.6) == [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]


def test_of_many_names_every_second_is_written_and_of_many_sizes_those_with_room():
    assert some_of(5, 12).tolist() == [0, 1, 2, 3, 4] and some_of(20, 12).tolist() == list(range(0, 20, 2))
    sizes = (100, 110, 120, 50_000)
    panel = plots.plot_accuracy(rising_curves(sizes), title="t").axes[0]
    assert list(panel.get_xticks()) == list(sizes)
    assert [text.get_text() for text in panel.get_xticklabels()] == ["100", "", "", "50,000"]
