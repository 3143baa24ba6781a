"""The page in a real browser: tables that sort, lines that hide, switches, and a page that reloads itself."""

import shutil
from threading import Thread

import pytest
from browsing import look, to, visit
from selenium.webdriver import ActionChains
from selenium.webdriver.support.wait import WebDriverWait

from vision.report import write_report
from vision.report.watch import WatchedPage, serve

pytestmark = pytest.mark.slow  # the browser itself takes seconds


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
