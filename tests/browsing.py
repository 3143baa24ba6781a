"""Open a page in a browser, find its parts and point at them."""

from pathlib import Path
from typing import Any

PHONE, DESK = 360, 1280


def to(browser, selector: str, *, text: str = "") -> Any:
    """Return the first shown element of a selector, with this text."""
    found = browser.find_elements("css selector", selector)
    return next(one for one in found if one.is_displayed() and text in one.text)


def visit(browser, chart: str, order: int = 0, *, event: str = "pointermove", kind: str = "mouse") -> str:
    """Point at a point of a figure's visible chart, and return what the page then says."""
    browser.execute_script(
        """
        const charts = [...document.querySelectorAll(`#${arguments[0]} svg`)];
        const chart = charts.find((one) => one.getClientRects().length);
        chart.scrollIntoView({ block: "center" });
        const [, x, y] = JSON.parse(chart.dataset.points)[arguments[1]];
        const at = new DOMPoint(x, y).matrixTransform(chart.getScreenCTM());
        const where = { clientX: at.x + 3, clientY: at.y - 3, pointerType: arguments[3], bubbles: true };
        chart.dispatchEvent(new PointerEvent(arguments[2], where));
        """,
        *(chart, order, event, kind),
    )
    tip = browser.find_element("css selector", ".tip")
    return tip.text if tip.is_displayed() else ""


def look(browser, page: Path, *, width: int = DESK, dark: bool = False) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(page.as_uri())
