"""Ticks: round numbers, and only those with room."""

from figure_cases import rising_curves

from vision import plots
from vision.plots.layout.ticks import percents, spaced_indices


def test_percents_are_round_whatever_the_span():
    assert percents(0.31, 0.77) == [0.4, 0.5, 0.6, 0.7]
    assert (
        percents(0.52, 0.58) == [0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58] or len(percents(0.52, 0.58)) >= 3
    )
    assert percents(0.004, 0.6) == [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]


def ticks(sizes) -> list[str]:
    panel = plots.plot_accuracy(rising_curves(sizes), title="t").axes[0]
    return [text.get_text() for text in panel.get_xticklabels()]


def test_every_tick_has_its_number_and_numbers_without_room_are_shortened_or_take_turns():
    assert ticks((100, 1000, 10_000)) == ["100", "1,000", "10,000"]
    assert ticks((50, 100, 200, 500, 1000, 2500, 5000)) == ["50", "100", "200", "500", "1k", "2.5k", "5k"]
    close = tuple(100 * 2**power for power in range(12))
    rows = ticks(close)
    assert [text.startswith("\n") for text in rows] == [False, True] * 6 and rows[5] == "\n3.2k"


def test_a_size_without_room_has_no_tick_and_of_many_names_every_second_is_written():
    assert ticks((100, 110, 120, 50_000)) == ["100", "50k"]
    assert spaced_indices(5, 12).tolist() == [0, 1, 2, 3, 4] and spaced_indices(20, 12).tolist() == list(
        range(0, 20, 2)
    )
