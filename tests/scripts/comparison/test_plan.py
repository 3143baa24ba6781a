"""The plan of the study: what is trained, with which budget, in which order."""

import math
from collections import Counter

import pytest
from comparison.plan import (
    FURTHER,
    LARGE,
    MAIN,
    MODELS,
    PLANS,
    PUBLISHED,
    SMALL,
    TINY,
    choose,
    final_runs,
    search_runs,
    value,
)


def runs_of(block):
    return final_runs(block, {model: block.recipe or {} for model in block.models})


def test_the_study_on_a_cpu():
    runs = runs_of(SMALL)
    cells = Counter((run.model, run.train_size) for run in runs)
    assert set(cells) == {(model, size) for model in MODELS for size in (100, 200, 500, 1000, 2000, 5000)}
    assert all(count == (9 if size <= 200 else 5) for (_, size), count in cells.items())
    assert len({(run.model, run.train_size, run.seed) for run in runs}) == len(runs) == 266
    assert {run.train_size: run.steps for run in runs} == {
        **dict.fromkeys((100, 200, 500), 2000),
        1000: 2344,
        2000: 4688,
        5000: 11719,
    }


def test_sizes_are_close_enough_to_interpolate_between_them():
    for block in (SMALL, LARGE):
        assert all(b / a <= 2.5 for a, b in zip(block.sizes, block.sizes[1:], strict=False))


def test_the_column_with_published_results():
    runs = runs_of(PUBLISHED)
    assert len(runs) == 9 and {run.steps for run in runs} == {math.ceil(150 * 5000 / 256)}
    assert all("training.lr=0.001" in run.overrides and "train_size=5000" in run.overrides for run in runs)


@pytest.mark.parametrize("block", [block for plan in PLANS.values() for block in plan], ids=lambda b: b.name)
def test_final_runs_are_trained_on_all_of_their_subset(block):
    runs = runs_of(block)
    assert all("data.val_fraction=0" in run.overrides for run in runs)
    assert [value(run) for run in runs] == sorted(value(run) for run in runs)


def test_cheap_runs_and_first_seeds_of_the_main_models_come_first():
    runs = runs_of(SMALL)
    assert [(run.model, run.seed, run.train_size) for run in runs[:5]] == [(m, 0, 100) for m in MAIN]
    places = {(run.model, run.train_size, run.seed): place for place, run in enumerate(runs)}
    assert places["vit", 5000, 0] < places["vit", 100, 7], "six times the work counts like six more seeds"
    assert places["vit", 100, 1] < places["local", 100, 0] < places["vit", 100, 4], FURTHER
    assert places["convnext", 5000, 4] == len(runs) - 1


def test_a_trial_is_judged_at_two_sizes_by_images_outside_the_subset():
    runs = search_runs(SMALL, "vit", "adamw", {"training.lr": 0.1})
    assert [(run.train_size, run.steps) for run in runs] == [(200, 700), (1000, 782)]
    for run in runs:
        assert {"data.val_from=rest", "data.val_fraction=0.1", "training.lr=0.1"} <= set(run.overrides)
        assert run.sweep == "60k-search/vit/adamw"


def test_a_part_can_be_chosen():
    part = choose(SMALL, ["vit", "unknown"], [500, 100], 2)
    assert part.models == ("vit",) and part.sizes == (100, 500) and part.seeds == {100: 2, 500: 2}
    assert choose(TINY, None, None, None) == TINY
