"""Smooth paths between sizes: exact at the sizes, and as uncertain between them as the truth is."""

import numpy as np

from vision.statistics.interpolation import smooth_paths


def test_paths_pass_through_the_draws_at_the_sizes():
    generator = np.random.default_rng(0)
    at = np.log([100, 500, 2000, 10_000])
    means = np.array([-0.1, -0.3, -0.8, -1.2])
    drawn = means + 0.01 * generator.standard_normal((20, 4))
    grid, paths = smooth_paths(at, means, np.full(4, 0.01), drawn, generator)
    assert set(at) <= set(grid) and paths.shape == (20, len(grid))
    np.testing.assert_allclose(paths[:, np.isin(grid, at)], drawn, atol=1e-3)


def test_a_curved_truth_lies_within_the_paths_where_straight_lines_miss_it():
    generator = np.random.default_rng(1)
    at = np.log(np.geomspace(100, 50_000, 5))
    middle = (at[1:] + at[:-1]) / 2
    inside = missed = 0
    for _ in range(60):
        centre, width = generator.uniform(6, 9.5), generator.uniform(0.8, 2.5)
        error = [np.log(1 - 0.8 / (1 + np.exp(-(x - centre) / width))) for x in (at, middle)]
        drawn = error[0] + 0.005 * generator.standard_normal((200, 5))
        grid, paths = smooth_paths(at, error[0], np.full(5, 0.005), drawn, generator)
        there = np.stack([np.interp(middle, grid, path) for path in paths])
        low, high = np.percentile(there, [2.5, 97.5], axis=0)
        inside += int(((low <= error[1]) & (error[1] <= high)).sum())
        missed += int((np.abs(np.interp(middle, at, error[0]) - error[1]) > 2 * 0.005).sum())
    assert inside >= 0.9 * 60 * 4 and missed > 0.4 * 60 * 4
