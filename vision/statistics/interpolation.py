"""Curves between the measured sizes: smooth paths through them, as uncertain as the data leave them.

>>> sizes, errors = np.log([100, 1000, 10_000]), np.log([[0.8, 0.6, 0.3]])
>>> grid, paths = smooth_paths(sizes, errors[0], np.full(3, 0.01), errors, np.random.default_rng(0))
>>> np.interp(sizes, grid, paths[0]).round(3).tolist() == errors[0].round(3).tolist()
True
"""

from itertools import pairwise

import numpy as np

STEP = 0.1  # of the grid, in log size: about 10 percent of the images
LENGTHS = np.geomspace(1.0, 10.0, 8)  # length scales that are tried, in log size: factors of 2.7 to 22,000
AMPLITUDES = np.geomspace(0.2, 5.0, 8)  # deviations from a straight line, in deviations of the means
JITTER = 1e-9


def smooth_paths(
    at: np.ndarray,
    means: np.ndarray,
    errors: np.ndarray,
    drawn: np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one smooth path through each row of `drawn`, from a Gaussian process around a straight line.

    The covariance is squared exponential (Rasmussen and Williams, 2006, chapter 2). Its length scale and
    amplitude are drawn from their posterior under the means. So between sizes far apart, the paths differ as
    much as the curvature of the data permits. Straight lines have no such uncertainty, and where sizes are a
    factor of 5 apart their intervals contain the truth in 36 to 68 of 100 simulated sweeps.

    Args:
        at: (J) log sizes, ascending.
        means: (J) mean of each size, on a scale on which the curve is smooth, such as log error.
        errors: (J) standard errors of the means.
        drawn: (D, J) draws of the means, such as means + `wild_bootstrap(...)`.
        generator: source of the draws.

    Returns:
        Grid (G) of log sizes that contains `at`, and paths (D, G) that pass through `drawn` there.
    """
    grid = _grid(at)
    if len(grid) == len(at):
        return grid, drawn
    amplitudes = AMPLITUDES * max(float(np.std(means)), 1e-12)
    weights = _posterior(at, means, errors, amplitudes)
    counts = generator.multinomial(len(drawn), weights.ravel()).reshape(weights.shape)
    paths, start = np.empty((len(drawn), len(grid))), 0
    for length, of_length in zip(LENGTHS, counts, strict=True):
        rows = slice(start, start + int(of_length.sum()))
        paths[rows] = _paths(at, grid, drawn[rows], length, np.repeat(amplitudes, of_length), generator)
        start = rows.stop
    return grid, paths


def _grid(at: np.ndarray) -> np.ndarray:
    parts: list[np.ndarray] = []
    for start, end in pairwise(at.tolist()):
        count = max(1, round((end - start) / STEP))
        parts.append(start + (end - start) / count * np.arange(count))
    return np.concatenate([*parts, at[-1:]])


def _correlation(one: np.ndarray, other: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-0.5 * ((one[:, None] - other) / length) ** 2)


def _line(at: np.ndarray) -> np.ndarray:
    """(J) -> (J, 2): a constant and a slope, whose coefficients have a flat prior."""
    return np.stack([np.ones_like(at), at], axis=1)


def _posterior(at: np.ndarray, means: np.ndarray, errors: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    """Weights (lengths, amplitudes) that sum to 1, by the restricted likelihood under a flat prior."""
    shapes = np.stack([_correlation(at, at, length) for length in LENGTHS]) + JITTER * np.eye(len(at))
    covariances = shapes[:, None] * amplitudes[:, None, None] ** 2 + np.diag(errors**2)
    roots = np.linalg.cholesky(covariances)  # (lengths, amplitudes, J, J)
    solved = np.linalg.solve(roots, np.column_stack([means, _line(at)]))
    values, (basis, triangle) = solved[..., :1], np.linalg.qr(solved[..., 1:])
    residuals = values - basis @ (basis.swapaxes(-1, -2) @ values)
    volumes = sum(np.log(np.abs(_diagonal(factor))).sum(axis=-1) for factor in (roots, triangle))
    likelihood = -volumes - 0.5 * (residuals**2).sum(axis=(-2, -1))
    weights = np.exp(likelihood - likelihood.max())
    return weights / weights.sum()


def _diagonal(matrices: np.ndarray) -> np.ndarray:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _paths(
    at: np.ndarray,
    grid: np.ndarray,
    drawn: np.ndarray,
    length: float,
    amplitudes: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """(D, J) -> (D, G): draws of the process on the grid, given its values at `at` (universal kriging).

    Each row has its own amplitude (D), by which only the deviations from the mean grow.
    """
    known = _correlation(at, at, length) + JITTER * np.eye(len(at))
    inverse, line = np.linalg.inv(known), _line(at)
    cross = _correlation(grid, at, length) @ inverse
    spread = np.linalg.inv(line.T @ inverse @ line)
    slope = _line(grid) - cross @ line
    weights = cross + slope @ (spread @ line.T @ inverse)
    covariance = _correlation(grid, grid, length)
    covariance += slope @ spread @ slope.T - cross @ _correlation(at, grid, length)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root = vectors * np.sqrt(values.clip(min=0.0))
    deviations = generator.standard_normal((len(drawn), len(grid))) @ root.T
    return drawn @ weights.T + amplitudes[:, None] * deviations
