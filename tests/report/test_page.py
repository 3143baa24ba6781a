"""The page: the answer first, one file that loads nothing, and no text of a run can break it."""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from known_records import records
from pages import Page, content, report, write_csv

from vision import results
from vision.cli import main
from vision.report import write_report
from vision.report.figures import draw_figures
from vision.report.read_sweep import read_sweep


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page over records of two models."""
    return report(tmp_path_factory.mktemp("two"), records())[0]


class Written(NamedTuple):
    """The page over real runs, and when their files were changed, before it was written and after."""

    path: Path
    before: dict[Path, int]
    after: dict[Path, int]


@pytest.fixture(scope="module")
def written(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    path = tmp_path_factory.mktemp("written") / "deep" / "page.html"
    before = {file: file.stat().st_mtime_ns for file in sweep.rglob("*")}
    write_report(sweep, path)
    return Written(path, before, {file: file.stat().st_mtime_ns for file in sweep.rglob("*")})


@pytest.mark.slow
def test_the_answer_comes_first_and_names_where_the_lead_changes(two_models):
    text = two_models
    answer = re.search(r'<p class="answer">(.*?)</p>', text)
    assert answer and re.match(
        r"The CNN is ahead up to about \d+ images \(95% interval \d+ to \d+\). From there the ViT is ahead",
        answer.group(1),
    )
    place, _, low, high = map(int, re.findall(r"\d+", answer.group(1))[:4])
    truth = (3.2 / 0.9) ** (1 / 0.3)
    assert low <= place <= high and low <= truth <= high
    order = ['class="answer"', 'id="gain"', 'id="accuracy"', 'id="verdicts"', 'id="findings"', 'id="error"']
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


@pytest.mark.parametrize("options", [{}, {"cross": False}, {"seeds": 1}, {"models": ("A", "B", "C")}])
def test_the_answer_has_at_most_three_short_sentences_and_nothing_is_repeated(tmp_path, options):
    page = content(tmp_path, records(**options))
    sentences = re.split(r"(?<=[.)])\s(?=[A-Z])", page.answer)
    assert 2 <= len(sentences) <= 3 and all(len(one.split()) <= 25 for one in sentences)
    assert not [one for one in sentences if one in " ".join(page.findings)]


def test_the_verdicts_are_those_of_the_comparison(tmp_path):
    from vision.statistics import compare_models

    table = records()
    page = content(tmp_path, table)
    (verdicts,) = (one for one in page.tables if one.name == "verdicts")
    found = compare_models(table, "CNN", "ViT")
    (row,) = verdicts.rows
    assert [one.text for one in row[:2]] == ["CNN against ViT", f"{100 * found.average.mean:+.1f}"]
    assert row[2].text == f"{100 * found.average.low:+.1f} to {100 * found.average.high:+.1f}"
    assert float(row[3].text) == pytest.approx(100 * found.detectable, abs=0.06)
    assert re.fullmatch(r"CNN: 50; ViT: .*1,000", row[4].text)
    assert re.fullmatch(r"about \d+ \(\d+ to \d+\)", row[5].text) and verdicts.cards
    same = pd.concat([table[table["label"] == "CNN"].assign(label=name) for name in ("CNN", "ViT")])
    page = content(tmp_path, same)
    (row,) = next(one for one in page.tables if one.name == "verdicts").rows
    assert [row[place].text for place in (1, 4, 5)] == ["+0.0", "no size", "none: identical"]


def test_the_words_of_a_page(tmp_path):
    from vision.report.wording.lead import TESTED_SEPARATELY

    table = records(models=("a model", "b", "c"))
    page = content(tmp_path, table.assign(**{"model.name": table["label"]}))
    assert page.answer[0].isupper() and page.findings[-1].startswith(TESTED_SEPARATELY)
    tables = {one.name: one for one in page.tables}
    assert tables["verdicts"].caption.endswith(TESTED_SEPARATELY) and "settings" not in tables
    page = content(tmp_path, table.assign(**{"model.name": table["label"] + "_tiny"}))
    assert {one.name: one for one in page.tables}["settings"].heads == ["label", "model.name"]
    page = content(tmp_path, records().replace({"label": {"CNN": "a model"}}))
    assert page.answer.startswith("A model is ahead up to about")
    assert not any(TESTED_SEPARATELY in one for one in page.findings)


def test_the_pair_that_is_asked_for_comes_first(tmp_path):
    table = records(models=("CNN", "ViT", "other, longer"))
    page = content(tmp_path, table, pair=["other", " longer", "CNN"])
    assert page.title == "other, longer against CNN on digits"
    verdicts, differences = (
        next(one for one in page.tables if one.name == name) for name in ("verdicts", "differences")
    )
    assert verdicts.rows[0][0].text == "other, longer against CNN"
    assert differences.rows[0][0].text == "CNN"
    for wrong in (("CNN",), ("CNN", "CNN"), ("CNN", "MLP")):
        with pytest.raises(
            ValueError, match=r"pair must be two of the models.*the models are CNN, ViT and other, longer"
        ):
            report(tmp_path, table, pair=wrong)


@pytest.mark.slow
def test_the_figure_of_errors_gives_the_formulas_of_its_laws(two_models):
    assert "ScalingFit(" not in two_models and re.search(r"CNN: error a n\^?", two_models)


@pytest.mark.slow
def test_one_file_that_loads_nothing_and_refers_to_what_it_has(written):
    page = Page(written.path.read_text())
    assert page.loads == [] and len(page.ids) == len(set(page.ids))
    assert {one.removeprefix("#") for one in page.inner} <= set(page.ids)
    shown = {"accuracy", "error", "gain", "overfit", "steps", "cost", "confusion", "classes"}
    assert shown | {"scores", "differences", "same-images", "runs", "methods"} <= set(page.ids)
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= set(page.ids)


@pytest.mark.slow
def test_every_run_is_linked_from_where_the_page_lies(written, sweep, tmp_path):
    links = [link for link in Page(written.path.read_text()).links if link[0] != "#"]
    assert len(links) == 8
    assert all((written.path.parent / link / results.RESULT).is_file() for link in links)
    write_report(sweep / "CNN", tmp_path / "page.html", links=False)
    assert all(link[0] == "#" for link in Page((tmp_path / "page.html").read_text()).links)


@pytest.mark.slow
def test_all_text_is_escaped(tmp_path):
    evil = '<script>alert("x")</script>&amp;'
    table = records(models=("CNN", evil), data="<b>'digits'")
    text, page = report(tmp_path, table, pair=("CNN", evil))
    assert text.count("<script>") == 1 and "<b>" not in text
    assert evil in "".join(page.words)


@pytest.mark.slow
def test_odd_labels_are_drawn_and_named_as_they_are(tmp_path, capsys):
    for names in (("_x", "[/red]", "$x$", r"$\frac$"), ("1", "02")):
        table = records(models=names).assign(params=1000.0, macs=2000.0)
        text, page = report(tmp_path, table)
        assert not [word for word in page.words if "is left out" in word]
        assert {"accuracy", "error", "gain", "overfit", "cost"} <= set(page.ids)
        assert main(["plot", str(tmp_path / "runs.csv")]) == 0
        shown, svg = capsys.readouterr().out, (tmp_path / "accuracy.svg").read_text()
        for name in names if names[0] != "1" else ("1", "2"):
            assert name in shown and f"{name}</text>" in svg and f"{name}</text>" in text


@pytest.mark.slow
def test_the_command_prints_the_answer_and_writes_page_and_figures(sweep, tmp_path, capsys):
    out, figures = tmp_path / "page.html", tmp_path / "figures"
    assert main(["report", str(sweep), "--out", str(out), "--figures", str(figures)]) == 0
    said = capsys.readouterr().out
    assert "100 images" not in said and f"wrote {out}" in said and "ViT" in said
    for kind in ("png", "svg", "pdf"):
        assert (figures / f"gain.{kind}").stat().st_size > 1000
    assert main(["report", str(sweep / "CNN")]) == 0 and (sweep / "CNN" / "report.html").is_file()


def test_plot_names_the_data_set_of_each_answer(tmp_path, capsys):
    pd.concat([records(), records(data="other")]).to_csv(tmp_path / "runs.csv", index=False)
    assert main(["plot", str(tmp_path / "runs.csv")]) == 0
    said = capsys.readouterr().out
    assert "CNN against ViT on digits: " in said and "CNN against ViT on other: " in said


@pytest.mark.slow
def test_2000_runs_stay_below_5_megabytes(tmp_path):
    table = records(models=[f"model {i}" for i in range(10)], seeds=40, cross=False)
    assert len(table) == 2000
    text, page = report(tmp_path, table.assign(config_sha256="a" * 64, commit="1" * 40))
    assert len(text) < 5e6 and page.words.count("a" * 10) == 2000


@pytest.mark.slow
def test_the_runs_are_not_changed_by_reading(written):
    assert written.before == written.after


def test_runs_that_are_all_or_nothing_are_shown_as_runs(tmp_path):
    table = records(sizes=(50, 100))
    failed = table["seed"].eq(0) & table["label"].eq("ViT")
    table = table.assign(test_accuracy=[0.5 if fails else 1.0 for fails in failed])
    page = write_csv(tmp_path, table)
    (accuracy,) = (one for one in page.figures if one.name == "accuracy")
    assert accuracy.caption.startswith("Test accuracy of each run.")
    assert "median (thin line) over seeds" in accuracy.svg.replace("\n", " ")


def test_runs_without_common_seeds_are_nowhere_called_pairs(tmp_path):
    table = records()
    page = content(tmp_path, table.assign(seed=table["seed"] + 10 * table["label"].eq("ViT")))
    (differences,) = (one for one in page.tables if one.name == "differences")
    assert differences.title == "Differences" and "Welch's t test" in differences.caption
    (gain,) = (one for one in draw_figures(read_sweep(tmp_path / "runs.csv"))[0] if one.name == "gain")
    assert "same subset and seed" not in gain.caption and "Welch's interval" in gain.caption
    (paired,) = (one for one in content(tmp_path, table).tables if one.name == "differences")
    assert paired.title == "Paired differences" and "Welch" not in paired.caption


def test_a_finding_about_the_smallest_size_names_it(tmp_path):
    """Of six sentences on the ends the answer has three, and the findings the rest."""
    page = content(tmp_path, records(models=("A", "B", "C", "D"), cross=False))
    assert page.answer.startswith("At 50 images")
    said = [one for one in page.findings if "significantly behind" in one]
    assert said and all(re.match(r"At (50|1,000) images", one) for one in said)
