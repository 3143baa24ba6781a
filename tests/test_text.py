"""Texts of names and numbers, wherever they are shown."""

import numpy as np

from vision.text import (
    first_few,
    first_line,
    listing,
    number,
    one_line,
    percent,
    points,
    short_name,
    sizes,
    value_text,
)


def test_names_are_listed_and_counted():
    assert first_few(["a", "b", "c", "d"], 2) == "a, b and 2 more" and first_few(["a"], 2) == "a"
    assert (listing("a"), listing("ab"), listing("abc")) == ("a", "a and b", "a, b and c")
    assert sizes([50, 1000]) == "50 and 1,000"
    assert short_name("model.kwargs.mixer_options.kernel_size") == "kernel_size"


def test_numbers_keep_what_they_need():
    assert [number(value) for value in (1234.0, 0.002, 1e-5, 12345.678)] == [
        "1,234",
        "0.002",
        "1e-05",
        "12,345.7",
    ]
    assert [value_text(value) for value in (None, np.nan, True, np.bool_(False), "02", np.int64(1000))] == [
        *("none", "none", "True", "False", "02", "1,000")
    ]
    assert value_text([2, 2]) == "[2, 2]" and value_text(np.nan, missing="") == ""
    assert (
        points(0.0301) == "+3.0"
        and points(-0.0001) == "-0.0"
        and points(-0.001, digits=2) == "-0.10"
        and percent(0.391) == "39.1%"
    )


def test_the_text_of_an_error_in_one_line():
    error = RuntimeError("\nsize mismatch\n\tfor  head.weight\n")
    assert first_line(error) == "size mismatch"
    assert one_line(error) == "size mismatch for head.weight"
    assert one_line(error, most=4) == "size"
