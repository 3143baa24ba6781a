"""The search of a recipe for each model: a grid of learning rates and weight decays that grows where it must.

A trial is a point of a logarithmic grid. Each optimizer of a model starts with a cross of five points. Where
the best point has an untried neighbour, it is tried. So in the end no neighbour of the best one is
better: it is bracketed. Then the models that needed fewer trials get further ones, between the points around
their best, until all have had equally many.

>>> next_points({}, ("adamw",))[:2]
[Point(optimizer='adamw', lr=0.0, decay=0.0), Point(optimizer='adamw', lr=-1.0, decay=0.0)]
"""

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

from comparison.plan import CNNS

LR_FACTOR, DECAY_FACTOR = 4.0, 10.0
FARTHEST = 4.0  # steps from the start, where the grid ends
START = {  # learning rate, weight decay and what else the optimizer needs
    "adamw": (0.002, 0.05, {}),
    "sgd": (0.1, 0.0005, {"training.momentum": 0.9}),
}


class Point(NamedTuple):
    """A trial: optimizer, and steps from its start in learning rate and weight decay."""

    optimizer: str
    lr: float
    decay: float

    @property
    def settings(self) -> dict[str, str | float]:
        """The recipe, as settings of a run."""
        lr, decay, further = START[self.optimizer]
        return {
            "training.optimizer": self.optimizer,
            **further,
            "training.lr": float(f"{lr * LR_FACTOR**self.lr:.4g}"),
            "training.weight_decay": float(f"{decay * DECAY_FACTOR**self.decay:.4g}"),
        }

    @property
    def name(self) -> str:
        """Name of the trial's folder."""
        settings = self.settings
        lr, decay = settings["training.lr"], settings["training.weight_decay"]
        return f"{self.optimizer}_lr-{lr}_wd-{decay}"


Scores = Mapping[Point, float]


def optimizers(model: str) -> tuple[str, ...]:
    """Return the optimizers that are tried for a model: SGD too for CNNs."""
    return ("adamw", "sgd") if model in CNNS else ("adamw",)


def best_point(scores: Scores) -> Point:
    """Return the best trial."""
    return max(scores, key=lambda point: scores[point])


def next_points(scores: Scores, names: tuple[str, ...]) -> list[Point]:
    """Return the points that are missing around the best one of each optimizer; none if it is bracketed.

    Points between those of the grid, which `further_points` adds, do not count.
    """
    missing: list[Point] = []
    for name in names:
        tried = {p: s for p, s in scores.items() if p.optimizer == name and p.lr % 1 == p.decay % 1 == 0}
        best = best_point(tried) if tried else Point(name, 0.0, 0.0)
        cross = [best, *(Point(name, best.lr + lr, best.decay + decay) for lr, decay in _CROSS)]
        missing += [point for point in cross if point not in tried and _inside(point)]
    return missing


def further_points(scores: Scores, count: int) -> list[Point]:
    """Return untried points around the best one, half a step apart: the nearest first."""
    best = best_point(scores)
    offsets = sorted(product(_HALVES, _HALVES), key=lambda offset: (abs(offset[0]) + abs(offset[1]), offset))
    around = (Point(best.optimizer, best.lr + lr, best.decay + decay) for lr, decay in offsets)
    return [point for point in around if point not in scores and _inside(point)][:count]


def next_trials(scores: Mapping[str, Scores]) -> dict[str, list[Point]]:
    """Return the trials that each model needs; empty once all are bracketed and have had equally many."""
    missing = {model: next_points(known, optimizers(model)) for model, known in scores.items()}
    if any(missing.values()):
        return missing
    most = max(map(len, scores.values()), default=0)
    return {model: further_points(known, most - len(known)) for model, known in scores.items()}


_CROSS = ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
_HALVES = tuple(half / 2 for half in range(-4, 5))


def _inside(point: Point) -> bool:
    return max(abs(point.lr), abs(point.decay)) <= FARTHEST
