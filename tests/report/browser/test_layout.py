"""The page in a real browser: no errors, and legible on a phone, on a desk and in the dark."""

import re

import pytest
from browsing import PHONE, look, to

pytestmark = pytest.mark.slow  # the browser itself takes seconds
LEAST_CONTRAST = 4.5  # of WCAG 2.1, level AA, for small text
ON_CELLS = ("rgb(0, 0, 0)", "rgb(254, 254, 254)")
LEAST_TEXT, SMALL_PRINT = 8.9, 7.9  # CSS pixels, in figures


def luminance(colour: str) -> float:
    parts = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_it_opens_without_a_word_in_the_console(browser, page):
    look(browser, page)
    assert "CNN against ViT" in browser.title
    assert browser.find_element("class name", "answer").text.startswith("The CNN is ahead up to about")
    assert len(browser.find_elements("tag name", "svg")) >= 4
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_contrasts_with_its_background(browser, any_page, dark):
    look(browser, any_page, dark=dark)
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) < 0.1) == dark
    pairs = browser.execute_script(
        """
        const seen = [];
        const kinds = "h1,p,li,td,th button,a,figcaption,dt,dd,caption,svg text";
        for (const e of document.querySelectorAll(kinds)) {
            if (!e.textContent.trim()) continue;
            let behind = e;
            while (behind && /rgba\\(0, 0, 0, 0\\)/.test(getComputedStyle(behind).backgroundColor))
                behind = behind.parentElement;
            const style = getComputedStyle(e);
            const back = getComputedStyle(behind ?? document.body).backgroundColor;
            seen.push([e.closest("svg") ? style.fill : style.color, back, e.textContent.slice(0, 40)]);
        }
        return seen;
        """
    )
    assert len(pairs) > 100
    # On cells of their own colours text is black or white; test_plots_cells has their contrast.
    pairs = [pair for pair in pairs if pair[0] not in ON_CELLS]
    faint = [text for ink, back, text in pairs if contrast(ink, back) < LEAST_CONTRAST]
    assert not faint


def test_on_a_phone_nothing_is_wider_than_it_and_no_text_is_tiny(browser, any_page):
    look(browser, any_page, width=PHONE)
    assert browser.execute_script("return innerWidth") == PHONE
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE
    # A letter's height on the screen, by how much its SVG is scaled.
    sizes = browser.execute_script(
        """
        return [...document.querySelectorAll("svg text")].map((text) => {
            const shown = text.getScreenCTM();
            return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(shown.b, shown.d);
        });
        """
    )
    assert len(sizes) > 50 and min(sizes) >= SMALL_PRINT
    assert sum(size >= LEAST_TEXT for size in sizes) > 0.85 * len(sizes)


def test_without_javascript_both_figures_are_there_and_no_switch(browser, page):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        look(browser, page)
        browser.refresh()
        shown = {
            name: browser.find_element("css selector", f"#{name} svg").is_displayed()
            for name in ("accuracy", "error")
        }
        assert all(shown.values()) and not browser.find_elements("css selector", ".switches, .tip")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_on_a_phone_verdicts_are_cards_and_a_wide_table_keeps_its_first_column(browser, page):
    look(browser, page, width=PHONE)
    cells = browser.execute_script(
        """
        return [...document.querySelector("#verdicts tbody tr").cells].map((cell) => {
            const { x, y, right } = cell.getBoundingClientRect();
            return [x, y, right, getComputedStyle(cell, "::before").content];
        });
        """
    )
    lefts, tops, rights, heads = zip(*cells, strict=True)
    assert len(set(lefts)) == 1 and list(tops) == sorted(set(tops)) and max(rights) <= PHONE
    names = ("average lead", "95% interval", "detectable", "ahead at", "crossing")
    assert list(heads[1:]) == [f'"{name}: "' for name in names]
    box = to(browser, "#differences .scroll")
    browser.execute_script("arguments[0].scrollLeft = 200", box)
    first, second = (to(browser, f"#differences tbody td:nth-child({place})") for place in (1, 2))
    assert first.rect["x"] == pytest.approx(box.rect["x"], abs=2) and second.rect["x"] < first.rect["x"] + 100


def test_on_a_phone_no_number_is_broken_and_a_long_name_is(browser, page, without_more):
    for shown, table in ((page, "equivalence"), (without_more, "scores")):
        look(browser, shown, width=PHONE)
        lines = browser.execute_script(
            """
            return [...document.querySelectorAll(`#${arguments[0]} tbody td:first-child`)].map((cell) => {
                const words = document.createRange();
                words.selectNodeContents(cell);
                return [words.getClientRects().length, cell.offsetWidth];
            });
            """,
            table,
        )
        rows, widths = zip(*lines, strict=True)
        assert (set(rows) == {1}) == (shown == page) and max(widths) < PHONE / 2


def test_no_heading_stands_above_nothing(browser, page, without_more):
    for shown, has_more in ((page, True), (without_more, False)):
        look(browser, shown)
        assert browser.find_element("id", "more").is_displayed() == has_more
        assert bool(browser.find_elements("css selector", ".figures figure")) == has_more


def test_on_a_desk_no_row_of_figures_is_half_empty(browser, real):
    look(browser, real)
    boxes = browser.execute_script(
        """
        const box = (one) => (({ x, y, bottom }) => [x, y, bottom])(one.getBoundingClientRect());
        return [...document.querySelectorAll(".figures > *")].filter((one) => one.offsetHeight).map(box);
        """
    )
    bottoms = {}
    for x, _, bottom in boxes:
        bottoms[round(x)] = max(bottom, bottoms.get(round(x), 0))
    tallest = max(bottom - y for _, y, bottom in boxes)
    assert len(bottoms) == 2 and abs(max(bottoms.values()) - min(bottoms.values())) < tallest
