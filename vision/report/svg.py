"""A figure as part of a page: inline SVG in the page's own colours, light or dark.

>>> inline_svg(figure, name="gain", alt="Gain of the CNN")  # doctest: +SKIP
"""

import io
import re
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from vision.plots.layout.style import GRID, INK, METADATA, MUTED, PAPER, STYLE

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
THEMED = {INK: "ink", GRID: "grid", PAPER: "paper", MUTED: "muted"}
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def inline_svg(figure: Figure, *, name: str, alt: str) -> Markup:
    """The figure as an <svg> element that takes ink, grid, muted and paper from the page's CSS variables.

    Args:
        figure: made by `vision.plots`, whose style holds these colours.
        name: of the figure on its page; what the SVG refers to inside itself carries it.
        alt: what the picture shows, for those who do not see it.
    """
    with rc_context(STYLE), io.BytesIO() as file:
        figure.savefig(file, format="svg", metadata=METADATA["svg"])
        svg = ElementTree.fromstring(file.getvalue())
    # The style would hold for the whole page, which has the same rule for its figures.
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
    """An attribute's value with names that are the figure's own and colours that are the page's."""
    if key == "id":
        return f"{name}-{value}"
    if key == f"{{{XLINK}}}href":
        return value.replace("#", f"#{name}-")
    value = value.replace("url(#", f"url(#{name}-")
    for colour, variable in THEMED.items() if key == "style" else ():
        value = re.sub(re.escape(colour), f"var(--{variable})", value, flags=re.IGNORECASE)
    return value
