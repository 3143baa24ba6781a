"""Short texts of names and numbers, the same in messages, figures, tables and sentences.

>>> first_few(["a", "b", "c", "d"], 2)
'a, b and 2 more'
>>> number(1234.0), number(0.00123456789), value_text(None)
('1,234', '0.00123457', 'none')
"""

from collections.abc import Iterable, Sequence
from numbers import Real


def first_few(names: Sequence[object], most: int) -> str:
    """Return up to `most` names joined by commas, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(str(name) for name in names[:most]) + more


def listing(names: Iterable[object]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    *before, last = (str(name) for name in names)
    return f"{', '.join(before)} and {last}" if before else last


def first_line(error: object) -> str:
    """Return the first line of an error's text, which is its sentence in most libraries."""
    return str(error).strip().partition("\n")[0]


def one_line(error: object, *, most: int | None = None) -> str:
    """Return an error's text of several lines as one line of up to `most` letters."""
    return " ".join(str(error).split())[:most]


def type_and_text(error: BaseException) -> str:
    """Return what Python prints of an error: its type and its text, if it can give one."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # of the __str__ of somebody's own class
        return name


def short_name(setting: str) -> str:
    """Return the last part of a dotted name: "lr" for "training.lr"."""
    return setting.rpartition(".")[2]


def number(value: float, *, digits: int = 6) -> str:
    """Return integers in full with thousands separators, other numbers with up to `digits` digits."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.{digits}g}"


def value_text(value: object, *, missing: str = "none", digits: int = 6) -> str:
    """Return a setting as text: numbers as `number` formats them, None and NaN as `missing`."""
    if value is None or value != value:
        return missing
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    return number(float(value), digits=digits)


def sizes(counts: Iterable[int]) -> str:
    """Return numbers of images as "100, 1,000 and 5,000"."""
    return listing(f"{count:,}" for count in counts)


def points(share: float, *, digits: int = 1) -> str:
    """Return a difference of two shares in signed percentage points: "+3.0" for 0.03.

    A small negative difference stays "-0.0": the sign shows whether an interval contains 0.
    """
    return f"{100 * share:+.{digits}f}"


def percent(share: float, *, digits: int = 1) -> str:
    """Return a share in percent: "39.1%" for 0.391."""
    return f"{100 * share:.{digits}f}%"
