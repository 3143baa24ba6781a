"""Laws of the error over training-set size: power, power with floor, broken power; fitted by least squares.

>>> LAWS["power"].plain(fit_law(LAWS["power"], np.log([100.0, 1000.0]), np.log([0.4, 0.2])))["b"].round(2)
np.float64(0.3)
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.special import expit

# Parameters of LOGARITHMS are fitted as logarithms. The others bound what the sizes of a sweep can determine.
LOGARITHMS = ("a", "c", "n0")
STEEPEST, LEAST_FLOOR = 4.0, 1e-4
ITERATIONS, DAMPING = 100, 1e-3


@dataclass(frozen=True, slots=True)
class Law:
    """A law of the error.

    Attributes:
        name: power, floor or broken.
        parameters: Their names, in the order of the arrays below.
        formula: Formula of the error.
    """

    name: str
    parameters: tuple[str, ...]
    formula: str

    def log_error(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Return log errors: log sizes x (J,), parameters p (P, ...) -> (..., J)."""
        a, b, *others = (value[..., None] for value in p)
        line = a - b * x
        if self.name == "floor":
            return np.logaddexp(line, others[0])
        return line - others[0] * np.logaddexp(0, x - others[1]) if self.name == "broken" else line

    def slopes(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Return the derivatives of `log_error` by the parameters: (J,), (P, ...) -> (P, ..., J)."""
        a, b, *others = (value[..., None] for value in p)
        one = np.ones(np.broadcast_shapes(a.shape, x.shape))
        if self.name == "floor":
            share = cast("np.ndarray", expit(a - b * x - others[0]))
            return np.stack((share, -x * share, 1 - share))
        if self.name == "broken":
            past = np.logaddexp(0, x - others[1])
            sigmoid = cast("np.ndarray", expit(x - others[1]))
            return np.stack((one, -x * one, -past, others[0] * sigmoid))
        return np.stack((one, -x * one))

    def bounds(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the smallest and largest parameters: log sizes (J,) -> two of (P,)."""
        least = {"a": -10.0, "b": -STEEPEST, "c": np.log(LEAST_FLOOR), "d": -STEEPEST, "n0": x.min()}
        most = {"a": 20.0, "b": STEEPEST, "c": 0.0, "d": STEEPEST, "n0": x.max()}
        low, high = (np.array([side[name] for name in self.parameters]) for side in (least, most))
        return low, high

    def plain(self, p: np.ndarray) -> dict[str, np.ndarray]:
        """Return fitted parameters (P, ...) by name, with logarithms undone."""
        return {
            name: np.exp(value) if name in LOGARITHMS else value
            for name, value in zip(self.parameters, p, strict=True)
        }


LAWS = {
    law.name: law
    for law in (
        Law("power", ("a", "b"), "a n^-b"),
        Law("floor", ("a", "b", "c"), "a n^-b + c"),
        # The exponent turns from b to b + d around n0, within about a factor of e.
        Law("broken", ("a", "b", "d", "n0"), "a n^-b (1 + n/n0)^-d"),
    )
}


def fit_law(law: Law, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the least-squares parameters, the best of several starts: (J,), (J,) -> (P,).

    Args:
        law: Law to fit.
        x: Log sizes.
        y: Log errors.
    """
    slope, height = np.polyfit(x, y, 1)
    turns, breaks = (0.0, 0.3, -0.3), np.quantile(x, (0.5, 0.3, 0.7))
    starts = [
        {"a": height, "b": -slope, "c": y.min() - below, "d": turn, "n0": n0}
        for below, turn, n0 in zip((0.7, 0.2, 2.0), turns, breaks, strict=True)
    ]
    begin = np.clip([[start[name] for name in law.parameters] for start in starts], *law.bounds(x))
    fits = fit_many(law, x, np.repeat(y[None], len(begin), axis=0), begin)
    return fits[np.argmin(((law.log_error(x, fits.T) - y) ** 2).sum(axis=-1))]


def fit_many(law: Law, x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the least-squares parameters of D curves at once: (J,), (D, J), (P,) or (D, P) -> (D, P).

    A batched Levenberg-Marquardt with bounds. scipy.optimize.least_squares fits one curve at a time, which
    is a hundred times slower.

    Args:
        law: Law to fit.
        x: Log sizes.
        y: Log errors.
        start: Parameters to start from.
    """
    low, high = (side[:, None] for side in law.bounds(x))
    p = np.broadcast_to(start, (len(y), len(low))).T.copy()
    off = law.log_error(x, p) - y
    cost: np.ndarray = (off**2).sum(axis=-1)
    damping = np.full(len(y), DAMPING)
    left = np.arange(len(y))  # the curves whose fits still improve
    for _ in range(ITERATIONS):
        now = p[:, left]
        step = _step(law.slopes(x, now), off[left], damping[left], (now <= low, now >= high))
        tried = np.clip(now - step, low, high)
        off_tried = law.log_error(x, tried) - y[left]
        cost_tried: np.ndarray = (off_tried**2).sum(axis=-1)
        better = cost_tried <= cost[left]
        settled = (np.abs(cost[left] - cost_tried) < 1e-12) | (damping[left] > 1e8)
        found = left[better]
        p[:, found], off[found], cost[found] = tried[:, better], off_tried[better], cost_tried[better]
        damping[left] = (damping[left] * np.where(better, 0.2, 5.0)).clip(1e-9, 1e9)
        left = left[~settled]
        if not len(left):
            break
    return p.T


def _step(
    slopes: np.ndarray, off: np.ndarray, damping: np.ndarray, at: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return a damped Gauss-Newton step: slopes (P, D, J), residuals (D, J), damping (D,) -> (P, D).

    `at` marks the parameters (P, D) at the lower and at the upper bound.
    """
    gradient = np.einsum("pdj,dj->pd", slopes, off)
    held = (at[0] & (gradient > 0)) | (at[1] & (gradient < 0))
    slopes, gradient = np.where(held[..., None], 0.0, slopes), np.where(held, 0.0, gradient)
    normal = np.einsum("pdj,qdj->dpq", slopes, slopes)
    added = damping[:, None] * (np.einsum("dpp->dp", normal) + 1e-12) + held.T
    damped = normal + added[..., None] * np.eye(len(gradient))
    step = cast("np.ndarray", np.linalg.solve(damped, gradient.T[..., None]))
    return step[..., 0].T
