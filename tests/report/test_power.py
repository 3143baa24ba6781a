"""What a page says its runs could not show: small leads, places between far sizes, undertrained models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known_records import records

from vision.cli import main
from vision.report.findings import findings, headline, warnings
from vision.report.read_sweep import read_sweep
from vision.report.wording.crossings import crossing_sentences, far_apart
from vision.report.wording.lead import average_lead, lead
from vision.report.wording.short_answer import short_answer
from vision.statistics import compare_models


def sweep_of(tmp_path, table: pd.DataFrame):
    table.to_csv(tmp_path / "runs.csv", index=False)
    return read_sweep(tmp_path / "runs.csv")


def crossing_table(
    sizes: tuple[int, ...], first: tuple[float, ...], second: tuple[float, ...]
) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = [
        (label, size, seed, accuracy + generator.normal(0, 0.002))
        for label, row in (("CNN", first), ("ViT", second))
        for size, accuracy in zip(sizes, row, strict=True)
        for seed in range(5)
    ]
    return pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])


def test_every_not_significant_comes_with_what_could_have_been_detected(tmp_path):
    for table in (records(cross=False), records(models=("A", "B", "C"), cross=False)):
        sweep = sweep_of(tmp_path, table)
        said = [headline(sweep), *findings(sweep)]
        texts = [text for text in said if "not significant" in text and "behind" not in text]
        assert texts and all("could not have been detected reliably" in text for text in texts)


def test_models_with_low_training_accuracy_measure_the_budget(tmp_path):
    table = records()
    low = table["label"].eq("ViT") & table["train_size"].eq(1000)
    table.loc[low, "train_accuracy"] = 0.63
    (said,) = (text for text in warnings(sweep_of(tmp_path, table)) if "Training accuracy" in text)
    assert said == (
        "Training accuracy is below 90% at 1 of 10 points, and lowest for ViT at 1,000 images (63.0%). "
        "These points measure the budget or the capacity of the models, not the data alone."
    )
    assert not [text for text in warnings(sweep_of(tmp_path, records())) if "Training accuracy" in text]


@pytest.mark.parametrize(
    ("sizes", "wide", "unknown"),
    [((100, 250, 600), False, False), ((100, 500, 2000), True, False), ((100, 1000, 2000), True, True)],
)
def test_sizes_far_apart_are_warned_of(tmp_path, sizes, wide, unknown):
    said = " ".join(far_apart(sizes))
    assert ("more than a factor of 2.5" in said) is wide
    assert ("Beyond a factor of 5 (100 and 1,000 images)" in said) is unknown
    assert (said in warnings(sweep_of(tmp_path, records(sizes=sizes)))) is wide


def test_a_crossing_between_far_sizes_has_no_place_and_one_between_near_ones_has():
    far = compare_models(crossing_table((100, 10_000), (0.4, 0.6), (0.3, 0.7)), "CNN", "ViT")
    assert crossing_sentences(far) == [
        "The CNN is ahead at 100 images.",
        "The curves cross between 100 and 10,000 images, which are too far apart to say where.",
        "From 10,000 images on the ViT is ahead.",
    ]
    assert short_answer(far) == crossing_sentences(far), "nothing of it is left to the findings"
    near = compare_models(crossing_table((100, 400), (0.4, 0.6), (0.3, 0.7)), "CNN", "ViT")
    first, last = crossing_sentences(near)
    # A straight line between the log ratios log(6 / 7) and log(4 / 3) is 0 at 162 images.
    assert first.startswith("The CNN is ahead up to about 160 images (95% interval 1")
    assert last == "From there the ViT is ahead."


def test_two_crossings_are_told_as_two():
    sizes, first, second = (100, 200, 400, 800), (0.40, 0.50, 0.60, 0.70), (0.30, 0.55, 0.66, 0.60)
    found = compare_models(crossing_table(sizes, first, second), "CNN", "ViT")
    said = lead(found)
    assert short_answer(found)[:2] == [
        "The lead changes twice.",
        "The CNN is ahead at 100 and 800 images, the ViT at 200 and 400.",
    ]
    assert said[0] == "The lead changes twice."
    assert said[1].startswith("The CNN is ahead up to about") and said[2].startswith("Then the ViT is ahead")
    assert said[3] == "From there the CNN is ahead."


@pytest.mark.slow
def test_page_plot_and_compare_give_the_same_answer(tmp_path, capsys):
    published = Path(__file__).parents[2] / "outputs" / "published" / "study-cifar10-jpeg" / "epochs.csv"
    table = pd.read_csv(published)
    source = tmp_path / "runs.csv"
    table[table["label"].isin(["CNN", "ViT"])].to_csv(source, index=False)
    found = compare_models(table, "CNN", "ViT")
    for command in ("report", "plot", "compare"):
        assert main([command, str(source)]) == 0
        said = " ".join(capsys.readouterr().out.split())
        for sentence in (lead(found)[0], *average_lead(found)[:1]):
            assert sentence in said, command
