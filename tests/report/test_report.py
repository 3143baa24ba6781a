"""The page over a sweep: its answer, what it says of gaps, and that no text of a run can break it."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known_records import records

from vision import results
from vision.cli import main
from vision.report import write_report
from vision.report.svg import inline_svg


class Page(HTMLParser):
    """What is on a page: ids, links, texts by tag, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.inner: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.inner += [v for k, v in attrs if k == "xlink:href" and v.startswith("#")]
        self.inner += re.findall(r"url\((#[^)]*)\)", " ".join(str(v) for _, v in attrs))
        outside = [v for k, v in attrs if k in ("src", "href") and tag != "a"]
        self.loads += [v for v in outside if not v.startswith(("#", "data:"))]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def report(tmp_path: Path, table: pd.DataFrame, **options) -> tuple[str, Page]:
    table.to_csv(tmp_path / "runs.csv", index=False)
    write_report(tmp_path / "runs.csv", tmp_path / "report.html", **options)
    text = (tmp_path / "report.html").read_text()
    return text, Page(text)


def test_the_answer_comes_first_and_says_where_the_lead_changes(tmp_path):
    text, _ = report(tmp_path, records())
    answer = re.search(r'<p class="answer">(.*?)</p>', text)
    assert answer and re.match(
        r"The CNN is ahead up to about \d+ images \(95% interval \d+ to \d+\). From there the ViT is ahead",
        answer.group(1),
    )
    place, _, low, high = map(int, re.findall(r"\d+", answer.group(1))[:4])
    truth = (3.2 / 0.9) ** (1 / 0.3)
    assert low <= place <= high and low <= truth <= high
    assert text.index("answer") < text.index("<svg") < text.index("<table")


def test_the_figure_of_errors_gives_the_formulas_of_its_laws(tmp_path):
    text, _ = report(tmp_path, records())
    assert "ScalingFit(" not in text and re.search(r"CNN: error a n\^?", text)


def test_one_file_that_loads_nothing_and_refers_to_what_it_has(sweep, tmp_path):
    write_report(sweep, tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text())
    assert page.loads == [] and len(page.ids) == len(set(page.ids))
    assert {one.removeprefix("#") for one in page.inner} <= set(page.ids)
    shown = {"accuracy", "error", "gain", "overfit", "steps", "cost", "confusion", "classes"}
    assert shown | {"scores", "differences", "same-images", "runs", "methods"} <= set(page.ids)
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= set(page.ids)


@pytest.mark.slow
def test_every_run_is_linked_from_where_the_page_lies(sweep, tmp_path):
    write_report(sweep, tmp_path / "deep" / "page.html")
    links = [link for link in Page((tmp_path / "deep" / "page.html").read_text()).links if link[0] != "#"]
    assert len(links) == 8
    assert all((tmp_path / "deep" / link / results.RESULT).is_file() for link in links)
    write_report(sweep, tmp_path / "page.html", links=False)
    assert all(link[0] == "#" for link in Page((tmp_path / "page.html").read_text()).links)


@pytest.mark.slow
def test_how_it_was_measured_is_what_the_records_say(sweep, tmp_path):
    write_report(sweep, tmp_path / "page.html")
    words = " ".join(Page((tmp_path / "page.html").read_text()).words)
    record = json.loads((sweep / "CNN" / "n60" / "s0" / results.RESULT).read_text())
    for value in (record["versions"]["torch"], record["device"], record["subset_sha256"][:10]):
        assert value in words
    assert "n = 2 per point" in words and "the same for all models at each size and seed" in words
    assert "training.batch_size=16" in words and f"{100 * record['test_accuracy']:.2f}" in words


@pytest.mark.slow
def test_a_sweep_half_done_says_what_is_missing_and_what_failed(sweep, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(sweep, half)
    shutil.rmtree(half / "ViT" / "n200" / "s0")
    failed = half / "ViT" / "n200" / "s1"
    (failed / results.RESULT).unlink()
    results.write_json(failed / results.FAILURE, {"error": "NonFiniteLoss: the loss is <nan>"})
    page = write_report(half, tmp_path / "page.html")
    assert page.warnings[0] == (
        "This sweep is not finished: of 8 runs, 1 has failed and 1 is missing. This page shows 6."
    )
    assert page.warnings[1] == "Failed: ViT/n200/s1: NonFiniteLoss: the loss is <nan>"
    assert page.warnings[2] == "Missing: ViT/n200/s0."
    assert "Two training-set sizes are too few for a scaling law, which needs three." in page.warnings
    assert page.warnings[-1].startswith("The table 'same-images' is left out: ViT and CNN have no predicti")
    assert "the loss is &lt;nan&gt;" in (tmp_path / "page.html").read_text()


def test_a_size_that_one_model_alone_has_makes_it_no_leader(tmp_path):
    table = records(models=("A", "B", "C"), cross=False)
    only = table[(table["label"] == "A") | (table["train_size"] < 1000)]
    text, _ = report(tmp_path, only)
    answer = re.search(r'<p class="answer">(.*?)</p>', text)
    assert answer and "At 50 images" in answer.group(1) and ". At 500 images" in answer.group(1)
    assert "1,000" not in answer.group(1)


def test_all_text_is_escaped(tmp_path):
    evil = '<script>alert("x")</script>&amp;'
    table = records(models=("CNN", evil), data="<b>'digits'")
    text, page = report(tmp_path, table, pair=("CNN", evil))
    assert text.count("<script>") == 1 and "<b>" not in text
    assert evil in "".join(page.words)


def test_one_seed_draws_no_interval_and_says_why(tmp_path):
    text, page = report(tmp_path, records(seeds=1))
    words = " ".join(page.words)
    assert "There is one seed only, so no interval is drawn" in words and "seed=0,1,2" in words
    assert "±" not in words and "accuracy-FillBetween" not in text
    assert "has the best mean" in words and "This is not tested: there is one common seed." in words
    assert "nan" not in words and "95% interval over seeds" not in words


def test_one_model_or_one_size_gives_a_page_that_says_so(tmp_path):
    _, page = report(tmp_path, records(models=("ViT",)))
    assert "There is one model only, ViT: nothing to compare it with." in page.words
    assert "gain" not in page.ids and "differences" not in page.ids
    assert not [word for word in page.words if "judged by itself" in word]
    _, page = report(tmp_path, records(sizes=(100,)))
    assert "There is one training-set size only: no curve, no crossing, no law." in page.words
    assert "error" not in page.ids


def test_the_pair_that_is_asked_for_comes_first(tmp_path):
    table = records(models=("CNN", "ViT", "other, longer"))
    text, _ = report(tmp_path, table, pair=["other", " longer", "CNN"])
    assert "<h1>other, longer against CNN on digits</h1>" in text
    for wrong in (("CNN",), ("CNN", "CNN"), ("CNN", "MLP")):
        with pytest.raises(
            ValueError, match=r"pair must be two of the models.*the models are CNN, ViT and other, longer"
        ):
            report(tmp_path, table, pair=wrong)


def test_runs_that_do_not_belong_together_are_refused(tmp_path, capsys):
    both = pd.concat([records(), records(data="cifar10", seeds=2)])
    with pytest.raises(ValueError, match=r"several data sets: digits \(30 runs\), cifar10 \(20 runs\); give"):
        report(tmp_path, both)
    searched = pd.concat([records().assign(**{"training.lr": lr}) for lr in (0.1, 0.2)])
    with pytest.raises(ValueError, match=r"differ in training.lr \(0.1, 0.2\)"):
        report(tmp_path, searched)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["report", str(empty)]) == 2
    assert f"no finished run below {empty}" in capsys.readouterr().err
    (tmp_path / "few.csv").write_text("label,train_size\nCNN,10\n")
    assert main(["report", str(tmp_path / "few.csv")]) == 2
    assert "missing are seed, test_accuracy" in capsys.readouterr().err


def test_validation_may_choose_among_what_was_searched(tmp_path):
    table = pd.concat(
        [records().assign(**{"training.lr": lr, "val_accuracy": 0.5 + lr}) for lr in (0.1, 0.2)]
    )
    _, page = report(tmp_path, table, choose=["training.lr"])
    assert "chosen" in page.ids and "0.2" in page.words and "0.1" not in page.words


@pytest.mark.slow
def test_the_command_prints_the_answer_and_writes_page_and_figures(sweep, tmp_path, capsys):
    out, figures = tmp_path / "page.html", tmp_path / "figures"
    assert main(["report", str(sweep), "--out", str(out), "--figures", str(figures)]) == 0
    said = capsys.readouterr().out
    assert "100 images" not in said and f"wrote {out}" in said and "ViT" in said
    for kind in ("png", "svg", "pdf"):
        assert (figures / f"gain.{kind}").stat().st_size > 1000
    assert main(["report", str(sweep)]) == 0 and (sweep / "report.html").is_file()


@pytest.mark.slow
def test_2000_runs_stay_below_5_megabytes(tmp_path):
    table = records(models=[f"model {i}" for i in range(40)], seeds=10, cross=False)
    assert len(table) == 2000
    text, page = report(tmp_path, table.assign(config_sha256="a" * 64, commit="1" * 40))
    assert len(text) < 5e6 and page.words.count("a" * 10) == 2000


def test_a_figure_takes_the_colours_of_its_page_and_keeps_its_names_to_itself():
    from vision.plots import plot_accuracy

    curves = pd.DataFrame(
        {"data": "d", "label": "#262626", "train_size": [1, 2], "n": 1, "mean": 0.5, "low": 0.4, "high": 0.6}
    ).assign(median=0.5, iqm=0.5, std=0.1)
    svg = str(inline_svg(plot_accuracy(curves, title="t"), name="one", alt='a "quoted" <alt>'))
    assert "var(--ink)" in svg and "#ffffff" not in svg.lower().replace("&#", "")
    assert ">#262626</text>" in svg, "a model may be called after a colour"
    assert all(name.startswith("one-") for name in re.findall(r'\bid="([^"]*)"', svg))
    assert 'aria-label="a &quot;quoted&quot; &lt;alt&gt;"' in svg


def test_predictions_are_paired_by_seed(sweep, tmp_path):
    from vision.report.read_sweep import read_sweep
    from vision.report.run_predictions import predictions_at

    found = predictions_at(read_sweep(sweep), ["CNN", "ViT"], 200)
    assert found["CNN"].predictions.shape == (2, 100) and found["CNN"].classes == [*"0123456789"]
    one = tmp_path / "one"
    shutil.copytree(sweep, one)
    shutil.rmtree(one / "ViT" / "n200" / "s0")
    found = predictions_at(read_sweep(one), ["CNN", "ViT"], 200)
    kept = np.load(one / "CNN" / "n200" / "s1" / results.PREDICTIONS)
    assert np.array_equal(found["CNN"].predictions, kept[None]), "seed 0 has no partner"


@pytest.mark.slow
def test_the_runs_are_not_changed_by_reading(sweep, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in sweep.rglob("*")}
    write_report(sweep, tmp_path / "report.html")
    assert before == {p: p.stat().st_mtime_ns for p in sweep.rglob("*")}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label", None, r"label is missing in 1 of 30 rows"),
        (
            "data",
            None,
            r"data is missing in 1 of 30 rows; name the data set in each, or omit the column",
        ),
        (
            "test_accuracy",
            "39.1%",
            r"test_accuracy must be a share in \[0, 1\].*got '39.1%' \(wrong in 1 of 30",
        ),
        ("train_accuracy", "99%", r"train_accuracy must be a share in \[0, 1\].*got '99%'"),
        ("params", "1.2M", r"params must be a number, such as 60000; got '1.2M' \(wrong in 1 of 30"),
        ("record_version", 9, r"runs.csv is a record of version 9, and this vit-vs-cnn reads those up to 3"),
        ("record_version", float("inf"), r"runs.csv is a record of version inf"),
        ("label", "Vi\x01T", r"label must be a name without control characters; got 'Vi\\x01T'"),
        ("train_size", "all", r"train_size must be a positive integer.*got 'all'"),
        ("train_size", 0, r"train_size must be a positive integer.*got 0 "),
        ("train_size", 0.05, r"train_size must be a positive integer.*got 0.05"),
        ("train_size", None, r"train_size must be a positive integer.*got nan"),
    ],
)
@pytest.mark.parametrize("command", ["report", "plot", "compare"])
def test_a_table_from_elsewhere_is_refused_by_column_and_value(
    tmp_path, capsys, command, column, value, message
):
    table = records().assign(params=60_000, record_version=1).astype({column: object})
    table.loc[3, column] = value
    table.to_csv(tmp_path / "runs.csv", index=False)
    more = ["--to", "published"] if command == "compare" else []
    assert main([command, str(tmp_path / "runs.csv"), *more]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.slow
def test_odd_labels_are_drawn_and_named_as_they_are(tmp_path, capsys):
    for names in (("_x", "[/red]"), ("$x$", r"$\frac$"), ("1", "02")):
        renamed = dict(zip(("CNN", "ViT"), names, strict=True))
        table = records().assign(label=lambda t, renamed=renamed: t["label"].map(renamed))
        table = table.assign(params=1000.0, macs=2000.0)
        text, page = report(tmp_path, table)
        assert not [word for word in page.words if "is left out" in word]
        assert {"accuracy", "error", "gain", "overfit", "cost"} <= set(page.ids)
        assert main(["plot", str(tmp_path / "runs.csv")]) == 0
        shown, svg = capsys.readouterr().out, (tmp_path / "accuracy.svg").read_text()
        for name in names if names[0] != "1" else ("1", "2"):
            assert name in shown and f"{name}</text>" in svg and f"{name}</text>" in text


def test_runs_without_a_test_accuracy_are_left_out_and_named(tmp_path, capsys):
    table = records(models=("CNN", "ViT", "MLP"))
    table.loc[table["label"].eq("CNN") & table["seed"].eq(0), "test_accuracy"] = np.nan
    table.loc[table["label"].eq("MLP"), "test_accuracy"] = np.nan
    text, page = report(tmp_path, table)
    sentences = (
        "5 runs of CNN have no test_accuracy and are left out.",
        "15 runs of MLP have no test_accuracy and are left out. No run of MLP is left.",
    )
    assert set(sentences) <= set(page.words) and "nan" not in text
    assert main(["plot", str(tmp_path / "runs.csv")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(sentence in said for sentence in sentences) and "parameters" not in said


@pytest.mark.slow
def test_what_an_error_leaves_out_is_said_and_what_does_not_apply_is_not(tmp_path):
    wrong = records()
    wrong.loc[0, "train_accuracy"] = 3.0
    _, page = report(tmp_path, wrong)
    said = [word for word in page.words if "is left out" in word]
    assert len(said) == 1 and said[0].startswith("The figure 'overfit' is left out: metric must be a share")
    for plain in (records(models=("ViT",)), records(sizes=(100,)), records(seeds=1), records()):
        _, page = report(tmp_path, plain.drop(columns="train_accuracy"))
        assert not [word for word in page.words if "left out" in word]
        assert "overfit" not in page.ids
    alone = records()
    alone.loc[alone["label"].eq("ViT"), "seed"] += 10
    _, page = report(tmp_path, alone)
    assert any(word.startswith("CNN and ViT are not compared run by run: no run of") for word in page.words)


@pytest.mark.slow
def test_a_run_without_its_side_files_is_left_out_of_their_figures(sweep, tmp_path):
    less = tmp_path / "less"
    shutil.copytree(sweep, less)
    (less / "CNN" / "n200" / "s0" / results.LABELS).unlink()
    (less / "ViT" / "n60" / "s1" / results.METRICS).unlink()
    page = write_report(less, tmp_path / "page.html")
    run = (
        "1 run has no test_labels.npy and is left out of the figures and tables of predictions: CNN/n200/s0."
    )
    assert run in page.warnings
    assert "1 run has no metrics.jsonl and is left out of the learning curves: ViT/n60/s1." in page.warnings
    assert {"steps", "confusion", "classes"} <= {figure.name for figure in page.figures}


@pytest.mark.slow
def test_models_tested_on_other_images_are_not_compared_on_them(sweep, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(sweep, other)
    for seed in (0, 1):
        file = other / "ViT" / "n200" / f"s{seed}" / results.LABELS
        np.save(file, np.load(file)[::-1])
    page = write_report(other, tmp_path / "page.html")
    assert "same-images" not in {table.name for table in page.tables}
    assert any(
        re.match(r"The table 'same-images' is left out: (CNN|ViT) had other test images than", said)
        for said in page.warnings
    )


@pytest.mark.parametrize("command", [["report"], ["compare", "--to", "published"]])
def test_mixed_settings_are_refused_with_a_way_out(tmp_path, capsys, command):
    mixed = pd.concat([records().assign(**{"training.lr": lr}) for lr in (0.1, 0.2)])
    mixed.to_csv(tmp_path / "runs.csv", index=False)
    assert main([*command, str(tmp_path / "runs.csv")]) == 2
    said = capsys.readouterr().err
    assert "differ in training.lr (0.1, 0.2); give the folder of one sweep" in said
    assert "--choose training.lr" in said and "--line" not in said
    budgets = pd.concat([records().assign(**{"training.steps": steps}) for steps in (300, 600)])
    budgets.to_csv(tmp_path / "runs.csv", index=False)
    assert main([*command, str(tmp_path / "runs.csv")]) == 2
    said = capsys.readouterr().err
    assert "training.steps (300, 600); give the folder of one sweep" in said and "--choose" not in said


def test_a_folder_for_a_page_is_refused_before_the_work(tmp_path, capsys):
    records().to_csv(tmp_path / "runs.csv", index=False)
    assert main(["report", str(tmp_path / "runs.csv"), "--out", str(tmp_path)]) == 2
    assert re.search(r"out must be a file such as .*report.html, got the folder", capsys.readouterr().err)


def test_the_records_are_never_written_over(tmp_path, capsys):
    given = records().to_csv(index=False)
    for name, command in (("runs", ["report", "--out", "runs.csv"]), ("curves", ["plot"])):
        path = tmp_path / f"{name}.csv"
        path.write_text(given)
        more = [str(tmp_path / part) if part.endswith(".csv") else part for part in command[1:]]
        assert main([command[0], str(path), *more]) == 2
        assert re.search(r"another f(ile|older)", capsys.readouterr().err) and path.read_text() == given


@pytest.mark.parametrize("command", ["report", "plot"])
def test_a_file_where_a_folder_must_be_is_no_traceback(tmp_path, capsys, command):
    records().to_csv(tmp_path / "runs.csv", index=False)
    (tmp_path / "taken").touch()
    out = tmp_path / "taken" / ("page.html" if command == "report" else "")
    assert main([command, str(tmp_path / "runs.csv"), "--out", str(out)]) == 2
    assert f"vision {command}: " in (said := capsys.readouterr().err) and "taken" in said


@pytest.mark.slow
def test_settings_of_several_values_stand_on_a_page(sweep, tmp_path):
    """A mean for each channel, and depths that differ between models."""
    several = tmp_path / "several"
    shutil.copytree(sweep, several)
    for path in several.rglob(results.RESULT):
        record = json.loads(path.read_text())
        record["settings"] |= {"data.mean": [0.49, 0.48, 0.45]}
        record["settings"] |= {"model.kwargs.depths": [2, 2] if record["label"] == "CNN" else [1, 3]}
        results.write_json(path, record)
    page = write_report(several, tmp_path / "page.html")
    assert "data.mean=[0.49, 0.48, 0.45]" in dict(page.methods)["Settings of all"]
    assert not [one for one in page.warnings if "left out" in one]
    (settings,) = (table for table in page.tables if table.name == "settings")
    assert {cell.text for row in settings.rows for cell in row} >= {"[2, 2]", "[1, 3]"}


@pytest.mark.slow
def test_models_that_lack_sizes_are_named_and_hide_none(tmp_path):
    some = records(models=("A", "B", "C"), sizes=(100, 1000, 10_000), cross=False)
    page = write_csv(tmp_path, pd.concat([some, records(models=("D",), sizes=(100,), cross=False)]))
    assert "D has no runs with 1,000 and 10,000 images." in page.warnings
    assert "At 10,000 images, which 3 of 4 models have," in page.answer
    (laws,) = (table for table in page.tables if table.name == "laws")
    said = {row[0].text: row[2].text for row in laws.rows}
    assert "a fit needs 3 training-set sizes or more, got 1 of 'D'" in said["D"]


@pytest.mark.slow
def test_a_run_that_is_there_twice_is_one_on_the_same_images(sweep, tmp_path):
    twice = tmp_path / "twice"
    for name in ("one", "other"):
        shutil.copytree(sweep, twice / name)
    for page in (write_report(sweep, tmp_path / "a.html"), write_report(twice, tmp_path / "b.html")):
        (same,) = (table for table in page.tables if table.name == "same-images")
        assert same.rows[0][3].text.count(",") == 1, "a p for each of two seeds"


@pytest.mark.slow
def test_sizes_whose_runs_cannot_be_paired_are_named(tmp_path):
    table = records(cross=False)
    largest = (table["label"] == "ViT") & (table["train_size"] == 1000)
    page = write_csv(tmp_path, table.assign(seed=table["seed"] + 10 * largest))
    assert "not compared at 1,000 images: fewer than two pairs of runs have the same seed" in page.answer
    apart = write_csv(tmp_path, table.assign(seed=table["seed"] + 10 * (table["label"] == "ViT")))
    assert "This is not tested: no seed is common to all models." in apart.answer
    assert "CNN and ViT are not compared run by run" in " ".join(apart.warnings)


def test_the_full_size_has_the_seeds_of_its_one_subset(tmp_path):
    """The protocol's design: 3 subsets x 3 seeds, and 5 seeds with all images."""
    crossed = records(seeds=9, cross=False)
    crossed = crossed.assign(subset_seed=crossed["seed"] // 3, seed=crossed["seed"] % 3)
    whole = records(seeds=5, sizes=(5000,), cross=False).assign(subset_seed=0)
    page = write_csv(tmp_path, pd.concat([crossed, whole]))
    assert "from 50 to 5,000 images" in page.answer and not page.warnings
    measured = dict(page.methods)
    assert measured["Runs"] == "100 of 100, n = 3 to 5 per point"
    assert "at 5,000 images over seeds on the same subset" in measured["Intervals"]
    assert "at 50, 100, 200, 500, 1,000 images over subsets, the" in measured["Intervals"]


@pytest.mark.parametrize(
    ("seeds", "subsets", "text"),
    [
        ([0], [0], "none drawn: there is one run per point"),
        ([0, 1, 2], [0, 1, 2], "95%, Student's t over seeds, each with its own subset"),
        (
            [0, 1, 2],
            [7, 7, 7],
            "over seeds on the same subset, so it does not cover other subsets",
        ),
        ([0, 1, 0, 1], [0, 0, 1, 1], "over subsets, the seeds of each averaged"),
        ([0, 1, 2], None, "95%, Student's t over seeds"),
    ],
)
def test_the_intervals_are_over_what_the_runs_differ_in(tmp_path, seeds, subsets, text):
    table = records(seeds=len(seeds))
    table["seed"] = table["seed"].map(lambda order: seeds[order])
    if subsets is not None:
        table["subset_seed"] = [subsets[order % len(seeds)] for order in range(len(table))]
    _, page = report(tmp_path, table)
    assert any(word == text or word == f"95%, Student's t {text}" for word in page.words)


@pytest.mark.slow
def test_the_words_of_a_page(tmp_path):
    from vision.report.wording.lead import TESTED_SEPARATELY

    table = records(models=("a model", "b", "c"))
    page = write_csv(tmp_path, table.assign(**{"model.name": table["label"]}))
    assert page.answer[0].isupper() and page.findings[-1] == TESTED_SEPARATELY
    tables = {one.name: one for one in page.tables}
    assert tables["crossings"].caption.endswith(TESTED_SEPARATELY) and "settings" not in tables
    page = write_csv(tmp_path, table.assign(**{"model.name": table["label"] + "_tiny"}))
    assert {one.name: one for one in page.tables}["settings"].heads == ["label", "model.name"]
    page = write_csv(tmp_path, records().replace({"label": {"CNN": "a model"}}))
    assert page.answer.startswith("A model is ahead up to about")
    assert TESTED_SEPARATELY not in page.findings


def test_plot_names_the_data_set_of_each_answer(tmp_path, capsys):
    pd.concat([records(), records(data="other")]).to_csv(tmp_path / "runs.csv", index=False)
    assert main(["plot", str(tmp_path / "runs.csv")]) == 0
    said = capsys.readouterr().out
    assert "CNN against ViT on digits: " in said and "CNN against ViT on other: " in said


def test_the_small_print_gives_the_ends_of_many_numbers():
    from vision.report.wording.methods import value_range

    rows = pd.DataFrame({"steps": [22, 1055, 300, 2110], "few": [1, 1, 2, 3], "host": list("abcd")})
    assert [value_range(rows[name]) for name in rows] == ["22 to 2,110", "1, 2, 3", "a and 3 more"]


def test_powers_of_ten_keep_their_exponents():
    from soft_convolution import plot_soft_error

    rows = [("inside", ring, a, 10.0**-a, 10.0**-a) for ring in (False, True) for a in (1, 3, 5)]
    names = ["region", "ring", "alpha", "measured", "bound"]
    figure = plot_soft_error(pd.DataFrame(rows, columns=names), title="$t$")
    svg = str(inline_svg(figure, name="soft", alt="a"))
    assert "mathdefault" not in svg and "$t$" in svg


def write_csv(tmp_path: Path, table: pd.DataFrame):
    table.to_csv(tmp_path / "runs.csv", index=False)
    return write_report(tmp_path / "runs.csv", tmp_path / "report.html")
