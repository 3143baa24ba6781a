"""Published accuracies next to ours: with sources, and only where the task is the same."""

from typing import Any

import pandas as pd
import pytest

from vision.cli import main
from vision.report.wording.published import how_trained
from vision.statistics import compare_with_published, published_results


def runs(data="cifar10-jpeg", sizes=(300, 500, 5000)) -> pd.DataFrame:
    rows = [("CNN", n, seed, 0.3 + seed / 100, n * 9 // 10) for n in sizes for seed in range(3)]
    runs = pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy", "n_train"])
    return runs.assign(data=data, params=60_000, steps=300).assign(**{"training.batch_size": 64})


def test_every_published_figure_has_its_source_and_what_was_done():
    table = published_results()
    assert table[["data", "train_size", "model", "accuracy", "how", "source"]].notna().all().all()
    assert table["accuracy"].between(10, 100).all() and not table.duplicated().any()
    scarcity = table[(table["train_size"] == 5000) & (table["params"].between(7e5, 8e5))]
    assert scarcity.set_index("model")["accuracy"].to_dict() == {"CNN": 77.40, "ViT": 53.73, "CCT": 68.11}


def test_ours_come_first_at_the_sizes_that_both_have():
    rows = compare_with_published(runs())
    assert set(rows["train_size"]) == {500, 5000}
    for _, group in rows.groupby("train_size"):
        both: list[dict[Any, Any]] = group.to_dict("records")
        ours, *others = both
        assert ours["source"] == "this suite" and ours["accuracy"] == pytest.approx(31.0) and ours["n"] == 3
        assert ours["low"] < 31.0 < ours["high"]
        assert (
            ours["train_size"] == 5000
            or how_trained(ours)
            == "300 steps, batch 64, 450 of the images trained on, re-encoded as JPEG of quality 75"
        )
        assert others and all(row["source"] != "this suite" for row in others)
    first: dict[Any, Any] = compare_with_published(runs("cifar10")).iloc[0].to_dict()
    assert "re-encoded" not in how_trained(first)


def test_sizes_without_published_accuracies_are_named():
    with pytest.raises(
        ValueError, match="no published results for digits; there are some for cifar10, cifar10-jpeg"
    ):
        compare_with_published(runs("digits"))
    with pytest.raises(
        ValueError, match=r"published for 100, 500, 1,000.* training images; these runs have 300"
    ):
        compare_with_published(runs(sizes=(300,)))


def test_the_command_prints_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    runs().to_csv(tmp_path / "runs.csv", index=False)
    assert main(["compare", str(tmp_path / "runs.csv"), "--to", "published"]) == 0
    said = capsys.readouterr().out
    assert "31.0 ± 2.5 (n = 3)" in said and "Inductive Bias under Data Scarcity" in said and "55.2" in said
    runs("digits").to_csv(tmp_path / "runs.csv", index=False)
    assert main(["compare", str(tmp_path / "runs.csv"), "--to", "published"]) == 2
    assert "no published results for digits" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["compare", str(tmp_path / "runs.csv"), "--to", "nobody"])
    assert "--to" in capsys.readouterr().err
