"""The sentences about results: short, and never stronger than the data."""

import re

import numpy as np
import pandas as pd
from known_records import records

from vision.report.findings import findings, headline, warnings
from vision.report.read_sweep import read_sweep
from vision.report.wording import captions, gaps
from vision.report.wording.crossings import leaders_by_size
from vision.report.wording.lead import lead
from vision.report.wording.short_answer import short_answer
from vision.report.wording.verdicts import crossing_cell
from vision.statistics import compare_models

MOST_WORDS = 25


def words_of(sentence: str) -> int:
    """Count words; numbers and intervals in brackets are not read as words."""
    return len(re.sub(r"\([^)]*\)", "", sentence).split())


def sentences_of(text: str) -> list[str]:
    return re.split(r"(?<=[.?])\s+(?=[A-Z])", text)


def test_the_answer_reads_as_it_is_meant_to():
    """One size of three shows a lead, the others show nothing."""
    generator = np.random.default_rng(0)
    rows = [
        (label, size, seed, 0.5 + gain + generator.normal(0, noise))
        for label, gains in (("CNN", (0.0, 0.03, 0.0)), ("ViT", (0.0, 0.0, 0.0)))
        for size, gain, noise in zip((50, 500, 5000), gains, (0.02, 0.001, 0.02), strict=True)
        for seed in range(5)
    ]
    table = pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])
    first, *others = lead(compare_models(table, "CNN", "ViT"))
    number = r"\+\d\.\d"
    assert re.fullmatch(
        rf"The CNN is ahead at 500 images \({number} points, 95% interval {number} to {number}\)\.", first
    )
    assert others[0] == "At the other sizes the difference is not significant."
    below = r"below \d\.\d( to \d\.\d)? points"
    reliably = "could not have been detected reliably"
    assert re.fullmatch(rf"Leads {below}, depending on the size, {reliably} there\.", others[1])
    assert others[2] == "The data neither show nor rule out a crossing."
    average = r"Averaged over the sizes, the lead of .* is not significant: .* points \(.*\)\."
    assert re.fullmatch(average, others[3])
    assert re.fullmatch(rf"An average lead {below} {reliably}\.", others[4])


def test_who_leads_on_average_but_is_behind_somewhere_crosses_at_an_unknown_size():
    """The second model leads at the smallest size; the noise of two sizes hides the other's lead there."""
    noise = np.array([-0.1, 0.05, 0.0, -0.05, 0.1])
    small = 0.0005 * np.arange(5)
    leads = {100: -0.03 + small, 500: 0.08 + noise, 5000: 0.08 - noise}
    rows = [
        (label, size, seed, 0.5 + gain * (label == "CNN"))
        for label in ("CNN", "ViT")
        for size, gains in leads.items()
        for seed, gain in enumerate(gains)
    ]
    table = pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])
    comparison = compare_models(table, "CNN", "ViT")
    assert comparison.led == {"ViT": [100]} and comparison.leader == "CNN"
    crosses = "The CNN is ahead on average, so there is a crossing, at a size that the data do not show."
    assert crosses in lead(comparison) and short_answer(comparison)[-1] == crosses
    assert crossing_cell(comparison) == "somewhere"


def test_leaders_by_size_take_any_name():
    leads = {100: 0.1, 500: -0.1, 5000: 0.1}
    names = ("{CNN}", "ViT {0}")
    rows = [
        (label, size, seed, 0.5 + seed / 1000 + gain * (label == names[0]) * (1 + seed / 100))
        for label in names
        for size, gain in leads.items()
        for seed in range(5)
    ]
    table = pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])
    found = leaders_by_size(compare_models(table, *names))
    assert found == "{CNN} is ahead at 100 and 5,000 images, ViT {0} at 500."


def test_points_that_measure_the_budget_are_named(tmp_path):
    table = records().assign(train_accuracy=1.0, late_loss_fall=0.04)
    table.to_csv(tmp_path / "long.csv", index=False)
    assert not any("budget" in text for text in warnings(read_sweep(tmp_path / "long.csv")))
    vit, columns = table["label"] == "ViT", ["train_accuracy", "late_loss_fall"]
    table.loc[vit & (table["train_size"] == 500), columns] = 0.8, 0.25
    table.loc[vit & (table["train_size"] == 1000), columns] = 0.5, 0.0625
    table.to_csv(tmp_path / "short.csv", index=False)
    accuracy, loss = (text for text in warnings(read_sweep(tmp_path / "short.csv")) if "budget" in text)
    assert "below 90% at 2 of 10 points, and lowest for ViT at 1,000 images (50.0%)" in accuracy
    assert loss == (
        "The training loss still fell at the end at 2 of 10 points, most for ViT at 500 images. There, "
        "25.0% of its fall came in the last fifth of the steps. A longer budget may change these points."
    )
    for sentence in sentences_of(f"{accuracy} {loss}"):
        assert words_of(sentence) <= MOST_WORDS, sentence


def test_no_sentence_is_longer_than_25_words(tmp_path):
    for number, table in enumerate((records(), records(models=("A", "B", "C"), cross=False))):
        path = tmp_path / f"{number}.csv"
        table.to_csv(path, index=False)
        sweep = read_sweep(path)
        for text in (headline(sweep), *findings(sweep)):
            for sentence in sentences_of(text):
                assert words_of(sentence) <= MOST_WORDS, sentence
    texts = [
        *(captions.verdict_table(several=True), captions.differences_table("A")),
        *(captions.same_images_table("A", 10, 20, []), captions.gain_figure("A", not_shown=3)),
        *(value for value in vars(captions).values() if isinstance(value, str) and value[:1].isupper()),
        *(gaps.ONE_SEED, gaps.ONE_SIZE, gaps.TWO_SIZES),
    ]
    for text in texts:
        for sentence in sentences_of(text):
            assert words_of(sentence) <= MOST_WORDS, sentence
