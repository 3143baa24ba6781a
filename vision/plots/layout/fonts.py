"""Fonts for the letters that the figures' own font does not have, such as Chinese, Japanese and Korean ones.

>>> missing_letters("块 Блок")
'块'
"""

# matplotlib's fonts have no complete types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

OWN = "DejaVu Sans"
# Fonts of Linux, macOS and Windows that have the letters of many languages.
FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Noto Sans JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "IPAexGothic",
    "IPAGothic",
    "Arial Unicode MS",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "SimHei",
    "Yu Gothic",
    "MS Gothic",
    "Malgun Gothic",
    "Noto Sans",
)

SHOWN = 5  # letters in the message
_told: list[str] = []

_logger = logging.getLogger(__name__)


def missing_letters(text: str, family: str = OWN) -> str:
    """Return the letters of a text that a font does not have, each once."""
    known = _letters(family)
    return "".join(dict.fromkeys(one for one in text if one.isprintable() and ord(one) not in known))


def measured_width(text: str, size: float) -> float:
    """Return how many inches a line is wide in the figures' own font, with letters of `size` points."""
    with without_glyph_warnings():
        font: Any = font_manager.get_font(font_manager.findfont(OWN))
        font.set_size(size, 72)
        font.set_text(text, 0.0)
        return font.get_width_height()[0] / 64 / 72


def give_fonts(figure: Figure) -> None:
    """Give each text with letters that are not in the figures' font the installed fonts that have them.

    Letters that no font has are drawn as boxes, and one line on stderr names them. An SVG file holds its
    words as words, so that a browser shows them in the fonts of its own computer.
    """
    missing = ""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        left, families = missing_letters(text.get_text()), list[str]()
        for family in _installed() if left else ():
            if (rest := missing_letters(left, family)) != left:
                left, families = rest, [*families, family]
        if families:
            text.set_fontfamily([OWN, *families])
        missing += left
    if missing:
        _tell(missing[:SHOWN])


@contextmanager
def without_glyph_warnings() -> Generator[None]:
    """Silence matplotlib's warning about each letter without a glyph: `give_fonts` reports it in one line."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        yield


def _tell(missing: str) -> None:
    """Say once what is missing."""
    if not _told:
        _told.append(missing)
        _logger.warning(
            "no installed font has letters such as %s: PNG and PDF files show boxes for them; "
            "install a font that has them, such as Noto Sans CJK for Chinese, Japanese and Korean",
            missing,
        )


def _installed() -> list[str]:
    names = {font.name for font in font_manager.fontManager.ttflist}
    return [family for family in FALLBACKS if family in names]


@cache
def _letters(family: str) -> frozenset[int]:
    font: Any = font_manager.get_font(font_manager.findfont(family))
    return frozenset(font.get_charmap())
