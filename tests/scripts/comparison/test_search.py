"""The search of recipes, on scores that are known functions of learning rate and weight decay."""

import pytest
from comparison.search import (
    START,
    Point,
    best_point,
    further_points,
    next_points,
    next_trials,
    optimizers,
)


def peak(optimizer, lr, decay):
    """A score with one maximum."""
    return lambda point: (
        (point.optimizer == optimizer) - (point.lr - lr) ** 2 - (point.decay - decay) ** 2 / 4
    )


def searched(truth):
    """Return all trials of a whole search, with their scores, for models whose true score is given."""
    scores = {model: {} for model in truth}
    for _ in range(50):
        trials = next_trials(scores)
        if not any(trials.values()):
            return scores
        for model, points in trials.items():
            assert not scores[model].keys() & set(points) and len(set(points)) == len(points)
            scores[model] |= {point: truth[model](point) for point in points}
    raise AssertionError("it does not end")


def test_the_first_trials_are_a_cross():
    points = next_points({}, ("sgd",))
    assert [(p.lr, p.decay) for p in points] == [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
    assert points[0].settings == {
        "training.optimizer": "sgd",
        "training.momentum": 0.9,
        "training.lr": 0.1,
        "training.weight_decay": 0.0005,
    }
    assert points[1].settings["training.lr"] == 0.025 and points[4].name == "sgd_lr-0.1_wd-0.005"


@pytest.mark.parametrize(("lr", "decay"), [(0, 0), (1, 0), (-3, 2), (3, -3), (4, 4)])
def test_the_grid_grows_until_the_best_is_inside(lr, decay):
    scores = searched({"vit": peak("adamw", lr, decay)})["vit"]
    best = best_point(scores)
    assert best == Point("adamw", lr, decay)
    around = [Point("adamw", lr + a, decay + b) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    assert all(scores[p] < scores[best] for p in around if max(abs(p.lr), abs(p.decay)) <= 4)


def test_a_best_point_that_runs_away_is_stopped_at_the_end_of_the_grid():
    best = best_point(searched({"vit": lambda point: point.lr})["vit"])
    assert best.lr == 4 and best.settings["training.lr"] == pytest.approx(START["adamw"][0] * 4**4)


def test_all_models_have_equally_many_trials():
    truth = {"vit": peak("adamw", 0, 0), "plain_cnn": peak("sgd", -2, 1), "local": peak("adamw", 2.5, 0)}
    scores = searched(truth)
    assert len(set(map(len, scores.values()))) == 1
    assert best_point(scores["plain_cnn"]) == Point("sgd", -2, 1)
    assert best_point(scores["local"]) == Point("adamw", 2.5, 0), "found between the points of the grid"
    for model, known in scores.items():
        assert {point.optimizer for point in known} == set(optimizers(model))
    assert set(optimizers("plain_cnn")) == {"adamw", "sgd"} and optimizers("vit") == ("adamw",)


def test_both_optimizers_are_bracketed():
    scores = searched({"cnn": lambda point: -abs(point.lr - (3 if point.optimizer == "sgd" else -3))})["cnn"]
    for optimizer, lr in (("adamw", -3), ("sgd", 3)):
        assert {lr - 1, lr, lr + 1} <= {point.lr for point in scores if point.optimizer == optimizer}


def test_further_points_are_near_and_new():
    scores = {Point("adamw", 0, 0): 1.0, Point("adamw", 1, 0): 0.5}
    near = further_points(scores, 4)
    assert {(abs(p.lr), abs(p.decay)) for p in near} == {(0.5, 0), (0, 0.5)} and len(near) == 4
    assert further_points(scores, 0) == [] and len(further_points(scores, 99)) == 79
