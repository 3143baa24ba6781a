"""Figures as inline SVG in the colours of the page, light or dark.

>>> inline_svg(figure, name="gain", alt="Gain of the CNN")  # doctest: +SKIP
"""

import io
import re
from typing import Any, cast
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from vision.plots.layout.style import GRID, INK, METADATA, MUTED, PAPER, STYLE

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
THEMED = {INK: "ink", GRID: "grid", PAPER: "paper", MUTED: "muted"}
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def inline_svg(figure: Figure, *, name: str, alt: str) -> Markup:
    """Return the figure as an <svg> element whose colours are the page's CSS variables.

    Args:
        figure: A figure of `vision.plots`, whose style has these colours.
        name: Name of the figure on its page, a prefix of all ids inside the SVG.
        alt: Text for readers who do not see the picture.
    """
    style = matplotlib.rc_context(STYLE)  # pyright: ignore[reportUnknownMemberType]
    with style, io.BytesIO() as file:
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
    svg.attrib.pop("height")
    svg.set("style", f"max-width: {svg.attrib.pop('width')}")
    svg.set("role", "img")
    svg.set("aria-label", alt)
    return Markup(ElementTree.tostring(svg, encoding="unicode"))


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
