"""The page in a real browser: no errors, legible on a phone and in the dark, tables that sort."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from known_records import records

from vision.report import write_report

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
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


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
        rows = browser.find_elements("css selector", "#differences + .scroll tbody tr")
        return [row.find_elements("tag name", "td")[1].text for row in rows]

    button = browser.find_elements("css selector", "#differences + .scroll th button")[1]
    for turned in (False, True):
        button.click()
        sizes = [int(text.replace(",", "")) for text in column()]
        assert len(sizes) == 10 and sizes == sorted(sizes, reverse=turned)
        order = button.find_element("xpath", "..").get_attribute("aria-sort")
        assert order == ("descending" if turned else "ascending")
