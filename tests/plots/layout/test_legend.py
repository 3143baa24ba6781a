"""Columns of a legend."""

from vision.plots.layout.legend import columns_of


def test_a_legend_has_the_columns_that_fit():
    assert columns_of(["CNN", "ViT"], 5) == 2 and columns_of(["a" * 60, "b" * 60], 5) == 1
    assert columns_of([f"model {i}" for i in range(5)], 3.5) == 3  # 3 and 2 rather than 4 and 1
