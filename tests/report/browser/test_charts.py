"""The charts of the page in a real browser: each tells its values to a pointer, a finger and the keyboard."""

import re

import pytest
from browsing import PHONE, look, to, visit
from known_records import records
from selenium.webdriver import ActionChains, Keys

from vision.statistics import accuracy_curves

pytestmark = pytest.mark.slow  # the browser itself takes seconds


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


def test_arrow_keys_go_from_point_to_point(browser, page):
    look(browser, page)
    chart = to(browser, "#accuracy svg")
    browser.execute_script("arguments[0].focus()", chart)
    texts = []
    for _ in range(2):
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
        texts.append(to(browser, ".tip").text)
    assert "50 images" in texts[0] and "100 images" in texts[1]
