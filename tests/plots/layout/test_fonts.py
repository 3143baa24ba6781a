"""Letters that the figures' own font does not have, and the widths of words."""

import logging
import warnings

import pytest
from figure_cases import rising_curves
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from vision import plots
from vision.plots.layout import fonts
from vision.plots.layout.figure import shortened, width_in_letters, wrapped
from vision.plots.layout.style import save

ONLY_STIX = "\u231a"  # a watch, which STIX has, and DejaVu Sans has not


@pytest.fixture(autouse=True)
def untold(monkeypatch):
    monkeypatch.setattr(fonts, "_told", [])


def test_what_a_font_lacks():
    assert fonts.missing_letters("Сверточная сеть, čtvrť, ελ, 块卷块") == "块卷"
    assert ord(ONLY_STIX) in get_font(findfont(FontProperties(family="STIXGeneral"))).get_charmap()


def test_a_text_gets_an_installed_font_that_has_its_letters(monkeypatch, caplog):
    monkeypatch.setattr(fonts, "FALLBACKS", ("No Such Font", "STIXGeneral"))
    figure = Figure()
    plain, special = figure.text(0, 0, "CNN"), figure.text(0, 0.5, f"a {ONLY_STIX} b")
    before = plain.get_fontfamily()
    fonts.give_fonts(figure)
    assert special.get_fontfamily() == ["DejaVu Sans", "STIXGeneral"] and plain.get_fontfamily() == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    assert not caplog.records


@pytest.mark.slow
def test_letters_that_no_font_has_are_said_in_one_line_and_stay_words_in_svg(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(fonts, "FALLBACKS", ("No Such Font",))
    table = rising_curves().replace({"label": {"CNN": "卷积网络", "ViT": "Трансформер"}})
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = save(plots.plot_accuracy(table, title="数据"), tmp_path / "one")
        save(plots.plot_error(table, title="数据"), tmp_path / "two")
    (record,) = caplog.records
    assert "no installed font has letters such as " in record.message and "Noto Sans CJK" in record.message
    svg = paths[1].read_text()
    assert all(f">{word}</text>" in svg for word in ("卷积网络", "Трансформер", "数据"))


def test_lines_are_as_wide_as_asked():
    for text in ("a" * 90, "W" * 50, "块" * 40, "one two three " * 9, "m_" * 60):
        for line in wrapped(text, 2.0, 9).splitlines():
            assert fonts.measured_width(line, 9) <= 2.0
        short = shortened(text, 2.0, 9)
        assert fonts.measured_width(short, 9) <= 2.0 and "…" in short
        assert wrapped(text, 2.0, 9).replace("\n", "").replace(" ", "") == text.replace(" ", "")
    assert shortened("CNN", 2.0, 9) == wrapped("CNN", 2.0, 9) == "CNN"
    assert width_in_letters("块块\nabc") == 3.7


def test_no_axis_of_accuracy_goes_beyond_100(recwarn):
    perfect = rising_curves().assign(mean=1.0, low=1.0, high=1.0)
    for figure in (plots.plot_accuracy(perfect, title="x"), plots.plot_error(perfect, title="x")):
        panel = figure.axes[0]
        shown = [tick for tick in panel.get_yticks() if panel.get_ylim()[0] <= tick <= panel.get_ylim()[1]]
        assert shown and max(shown) <= 100
    assert not recwarn.list
