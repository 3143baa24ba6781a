"""Evenly spread indices."""

from vision.inspection import spread_indices


def test_indices_are_spread_from_the_first_to_the_last_without_repeats():
    assert spread_indices(10, 4) == [0, 3, 6, 9]
    assert spread_indices(3, 5) == [0, 1, 2] and spread_indices(7, 1) == [0]
    for count in range(1, 30):
        indices = spread_indices(count, 6)
        assert indices == sorted(set(indices)) and len(indices) == min(count, 6) and indices[0] == 0
