"""The text that a point shows under the pointer: its x, value, interval and n.

>>> point_texts([500], [36.2], [34.1], [38.3], n=[3], x="train_size", unit="%")
['500 images: 36.2% (34.1 to 38.3, n = 3)']
"""

from collections.abc import Iterable, Sequence

from vision.text import short_name, value_text


def point_texts(
    x_values: Iterable[object],
    middle: Iterable[float],
    low: Iterable[float],
    high: Iterable[float],
    *,
    n: Sequence[object] | None,
    x: str,
    unit: str,
    signed: bool = False,
) -> list[str]:
    """Return one text per point.

    Args:
        x_values: Where the points are on the x axis.
        middle: Their values, in the unit.
        low, high: Ends of their intervals; NaN where there is none.
        n: Number of runs of each; None if unknown.
        x: Name of the x axis.
        unit: What follows a value, such as "%" or " points".
        signed: Whether values are differences, written with their sign.
    """
    form = "{:+.1f}" if signed else "{:.1f}"
    rows = list(zip(x_values, middle, low, high, strict=True))
    counts = [None] * len(rows) if n is None else list(n)
    return [
        f"{_x_text(x_value, x)}: {form.format(value)}{unit}{_spread(form, start, end, count)}"
        for (x_value, value, start, end), count in zip(rows, counts, strict=True)
    ]


def _x_text(x_value: object, x: str) -> str:
    return f"{value_text(x_value)} images" if x == "train_size" else f"{short_name(x)} {value_text(x_value)}"


def _spread(form: str, low: float, high: float, count: object) -> str:
    ends = "" if low != low else f"{form.format(low)} to {form.format(high)}"
    runs = "" if count is None else f"n = {count}"
    inside = ", ".join(part for part in (ends, runs) if part)
    return f" ({inside})" if inside else ""
