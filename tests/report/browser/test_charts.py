"""The page in a real browser: no errors, legible on a phone and in the dark, tables that sort."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from known_records import records
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.support.wait import WebDriverWait

from vision.report import write_report
from vision.report.watch import WatchedPage, serve
from vision.statistics import accuracy_curves

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="needs Debian's packages chromium and chromium-driver, as .ci/run has them",
)
PHONE, DESK = 360, 1280
LEAST_CONTRAST = 4.5  # of WCAG 2.1, level AA, for small text
ON_CELLS = ("rgb(0, 0, 0)", "rgb(254, 254, 254)")
LEAST_TEXT, SMALL_PRINT = 8.9, 7.9  # CSS pixels, in figures
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)


@pytest.fixture(scope="module")
def real(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of real runs, which has every figure."""
    page = tmp_path_factory.mktemp("real") / "report.html"
    written = write_report(sweep, page)
    assert {"confusion", "classes", "steps", "cost"} <= {figure.name for figure in written.figures}
    return page


@pytest.fixture(params=["table", "runs"])
def any_page(request: pytest.FixtureRequest) -> Path:
    """Either page."""
    return request.getfixturevalue({"table": "page", "runs": "real"}[request.param])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    records(models=("CNN", "ViT", "a model with quite a long name")).to_csv(folder / "runs.csv", index=False)
    write_report(folder / "runs.csv", folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


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


def test_a_click_sorts_a_table_by_its_numbers_and_a_second_turns_it_round(browser, page):
    look(browser, page)

    def column() -> list[str]:
        rows = browser.find_elements("css selector", "#differences .scroll tbody tr")
        return [row.find_elements("tag name", "td")[1].text for row in rows]

    button = browser.find_elements("css selector", "#differences .scroll th button")[1]
    for turned in (False, True):
        button.click()
        sizes = [int(text.replace(",", "")) for text in column()]
        assert len(sizes) == 10 and sizes == sorted(sizes, reverse=turned)
        order = button.find_element("xpath", "..").get_attribute("aria-sort")
        assert order == ("descending" if turned else "ascending")


def test_a_chart_tells_the_value_its_interval_and_n_under_the_pointer(browser, page):
    look(browser, page)
    row = accuracy_curves(records(models=("CNN", "ViT", "a model with quite a long name"))).iloc[2]
    mean, low, high = (f"{100 * row[name]:.1f}" for name in ("mean", "low", "high"))
    said = f"{row['train_size']:,} images: {mean}% ({low} to {high}, n = {row['n']})"
    assert visit(browser, "accuracy", 2).split("\n") == [row["label"], said]
    tip, chart = to(browser, ".tip").rect, to(browser, "#accuracy svg").rect
    assert chart["y"] < tip["y"] + tip["height"] < chart["y"] + chart["height"]
    browser.execute_script(
        "arguments[0].dispatchEvent(new PointerEvent('pointerleave', {pointerType: 'mouse'}))",
        to(browser, "#accuracy svg"),
    )
    assert not browser.find_element("css selector", ".tip").is_displayed()
    assert re.search(r"[+-]\d+\.\d points \(", visit(browser, "gain"))
    assert browser.get_log("browser") == []


def test_the_tip_lies_where_the_point_is_drawn(browser, page):
    look(browser, page)
    visit(browser, "accuracy", 4)
    gap = browser.execute_script(
        """
        const chart = document.querySelector("#accuracy svg");
        const [name] = JSON.parse(chart.dataset.points)[4];
        const ring = chart.querySelector(".ring").getBoundingClientRect();
        const centre = [ring.x + ring.width / 2, ring.y + ring.height / 2];
        const marks = [...chart.querySelectorAll(`[data-series="${name}"] use`)];
        const gaps = marks.map((mark) => {
            const box = mark.getBoundingClientRect();
            return Math.hypot(box.x + box.width / 2 - centre[0], box.y + box.height / 2 - centre[1]);
        });
        return Math.min(...gaps);
        """
    )
    assert gap < 1.5


def test_a_tap_on_a_phone_shows_a_value_inside_the_screen_and_a_tap_elsewhere_hides_it(browser, page):
    look(browser, page, width=PHONE)
    last = browser.execute_script(
        "return JSON.parse(document.querySelector('#accuracy svg').dataset.points).length"
    )
    assert visit(browser, "accuracy", last - 1, event="pointerdown", kind="touch")
    tip = to(browser, ".tip").rect
    assert tip["x"] >= 0 and tip["x"] + tip["width"] <= PHONE
    browser.execute_script(
        "document.querySelector('h1').dispatchEvent(new PointerEvent('pointerdown', {bubbles: true}))"
    )
    assert not browser.find_element("css selector", ".tip").is_displayed()
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE


def test_a_click_on_a_name_hides_its_line_in_all_charts_and_a_second_shows_it(browser, page):
    look(browser, page)
    seen = """
        return [...document.querySelectorAll("svg [data-series]")]
            .filter((part) => part.dataset.series === "ViT")
            .map((part) => getComputedStyle(part).display !== "none");
    """
    assert len(browser.execute_script(seen)) > 10 and all(browser.execute_script(seen))
    name = to(browser, "#accuracy [data-label=ViT][tabindex]")
    for shown in (False, True):
        name.click()
        assert set(browser.execute_script(seen)) == {shown}
        assert name.get_attribute("aria-pressed") == str(shown).lower()
    browser.execute_script("arguments[0].focus()", name)
    ActionChains(browser).send_keys(" ").perform()
    assert not any(browser.execute_script(seen))
    order = browser.execute_script(
        "return JSON.parse(document.querySelector('#accuracy svg').dataset.points)"
        ".findIndex(([name]) => name === 'ViT')"
    )
    assert "ViT" not in visit(browser, "accuracy", order).split("\n")


def test_switches_choose_what_is_drawn_and_on_which_axes(browser, page):
    look(browser, page)
    # Without gain in the way, accuracy and error share one place.
    assert [
        to(browser, f".switches button[value={one}]").text for one in ("accuracy", "error", "log", "linear")
    ]
    for quantity in ("error", "accuracy"):
        to(browser, f".switches button[value={quantity}]").click()
        for scale in ("linear", "log"):
            to(browser, f".switches button[value={scale}]").click()
            shown = [
                (
                    one.get_attribute("data-scale"),
                    one.find_element("xpath", "ancestor::figure").get_attribute("id"),
                )
                for one in browser.find_elements("css selector", "#accuracy .view, #error .view")
                if one.is_displayed()
            ]
            assert shown == [(scale, quantity)]
            assert ("% error" in visit(browser, quantity)) == (quantity == "error")
    assert browser.get_log("browser") == []


def test_arrow_keys_go_from_point_to_point(browser, page):
    look(browser, page)
    chart = to(browser, "#accuracy svg")
    browser.execute_script("arguments[0].focus()", chart)
    texts = []
    for _ in range(2):
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
        texts.append(to(browser, ".tip").text)
    assert "50 images" in texts[0] and "100 images" in texts[1]


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


@pytest.mark.slow
def test_a_watched_page_reloads_itself_as_runs_finish(browser, sweep, tmp_path):
    folder, out = tmp_path / "running", tmp_path / "page.html"
    folder.mkdir()
    page = WatchedPage(folder, out, lambda: write_report(folder, out, links=False))
    with serve(page, port=0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        browser.get(server.url)
        assert "no finished run" in browser.find_element("tag name", "body").text
        for label, title in (("CNN", "1 model on digits"), ("ViT", "CNN against ViT on digits")):
            shutil.copytree(sweep / label, folder / label)
            WebDriverWait(browser, 60).until(lambda b, title=title: b.title == title)
        visit(browser, "accuracy")
        server.shutdown()
    browser.get("about:blank")
    browser.get_log("browser")  # requests to the server that was stopped
