"""Figures as inline SVG in the colours of the page, light or dark.

>>> inline_svg(figure, name="gain", alt="Gain of the CNN")  # doctest: +SKIP
"""

import io
import json
import re
from typing import Any, cast
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from vision.plots.layout.chart import LABEL, SERIES, Chart
from vision.plots.layout.figure import POINTS
from vision.plots.layout.fonts import without_glyph_warnings
from vision.plots.layout.style import GRID, INK, METADATA, MUTED, PAPER, STYLE

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
THEMED = {INK: "ink", GRID: "grid", PAPER: "paper", MUTED: "muted"}
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def inline_svg(figure: Figure, *, name: str, alt: str) -> Markup:
    """Return the figure as an <svg> element whose colours are the page's CSS variables.

    Of a `Chart`, parts of lines have its name in data-series, and names of lines in data-label. data-points
    lists line, x, y and text of each point, in the coordinates of the SVG.

    Args:
        figure: A figure of `vision.plots`, whose style has these colours.
        name: Name of the figure on its page, a prefix of all ids inside the SVG.
        alt: Text for readers who do not see the picture.
    """
    style = matplotlib.rc_context(STYLE)  # pyright: ignore[reportUnknownMemberType]
    with style, without_glyph_warnings(), io.BytesIO() as file:
        cast("Any", figure).savefig(file, format="svg", metadata=METADATA["svg"])
        svg = ElementTree.fromstring(file.getvalue())
    # A style element would apply to the whole page, which has the same rule for its figures.
    for parent, child in ((".", "metadata"), ("svg:defs", "style")):
        for element in svg.findall(parent, {"svg": SVG}):
            for unwanted in element.findall(f"{{{SVG}}}{child}"):
                element.remove(unwanted)
    for element in svg.iter():
        for key, value in element.attrib.items():
            element.set(key, _own(key, value, name))
    if isinstance(figure, Chart):
        _name_lines(svg, name, figure.series)
        svg.set("data-points", json.dumps(_points(figure), ensure_ascii=False, separators=(",", ":")))
    for size in ("width", "height"):
        svg.attrib.pop(size)
    svg.set("role", "img")
    svg.set("aria-label", alt)
    return Markup(ElementTree.tostring(svg, encoding="unicode"))


def _name_lines(svg: ElementTree.Element, name: str, series: list[str]) -> None:
    """Give the parts of a line its name in data-series, or in data-label if they name it."""
    for element in svg.iter():
        if found := re.fullmatch(rf"{re.escape(name)}-({SERIES}|{LABEL})-(\d+)-\d+", element.get("id", "")):
            element.attrib.pop("id")
            element.set(f"data-{found[1]}", series[int(found[2])])


def _points(figure: Chart) -> list[tuple[str, float, float, str]]:
    """Return line, place in the SVG and text of each point."""
    scale, height = POINTS / figure.dpi, POINTS * figure.get_figheight()
    points: list[tuple[str, float, float, str]] = []
    for mark in figure.marks:
        x, y = mark.panel.transData.transform((mark.x, mark.y)) * scale
        points.append((mark.series, round(float(x), 1), round(float(height - y), 1), mark.text))
    return points


def _own(key: str, value: str, name: str) -> str:
    """Return an attribute's value with prefixed ids and with the page's colours."""
    if key == "id":
        return f"{name}-{value}"
    if key == f"{{{XLINK}}}href":
        return value.replace("#", f"#{name}-")
    value = value.replace("url(#", f"url(#{name}-")
    for colour, variable in THEMED.items() if key == "style" else ():
        value = re.sub(re.escape(colour), f"var(--{variable})", value, flags=re.IGNORECASE)
    return value
