"""How often the intervals of crossings and data equivalence contain the truth, on curved synthetic sweeps.

    python scripts/interval_coverage.py --sweeps 400

The truth of a model is a sigmoid of the log size, and its runs have Beta noise. Runs of a seed share the
noise of their subset, and one of the models varies more. docs/statistics.md has the table that this prints.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import beta, norm

from vision.statistics import compare_models, data_equivalence

SIZES = {
    "factor 2": (100, 200, 400, 800, 1600, 3200, 6400),
    "factor 2 to 2.5": (100, 200, 500, 1000, 2000, 5000, 10_000),
    "factor 4 to 5": (100, 500, 2000, 10_000, 50_000),
    "factor 5": (80, 400, 2000, 10_000, 50_000),
    "factor 10": (100, 1000, 10_000, 100_000),
}


@dataclass(frozen=True)
class Truth:
    """The accuracy of a model: a sigmoid of the log size between chance and its ceiling."""

    ceiling: float
    centre: float
    width: float

    def accuracy(self, sizes: np.ndarray) -> np.ndarray:
        """Return the accuracy at training-set sizes: (N,) -> (N,)."""
        return 0.1 + (self.ceiling - 0.1) * expit((np.log(sizes) - self.centre) / self.width)


def random_pair(generator: np.random.Generator, sizes: tuple[int, ...]) -> tuple[Truth, Truth]:
    """Return two models: the second starts lower and rises more steeply, to a higher ceiling."""
    middle = np.log(sizes[0]) + generator.uniform(0.3, 0.7) * np.log(sizes[-1] / sizes[0])
    width = generator.uniform(1.0, 2.5)
    first = Truth(generator.uniform(0.55, 0.85), middle - generator.uniform(0.0, 1.0), width)
    second = Truth(generator.uniform(0.8, 0.98), middle + generator.uniform(0.3, 1.5), width * 0.8)
    return first, second


def draw_sweep(
    generator: np.random.Generator,
    models: tuple[Truth, Truth],
    sizes: tuple[int, ...],
    *,
    seeds: int,
    noise: float,
) -> pd.DataFrame:
    """Return runs of A and B with Beta noise, half of whose variance the models share at a seed and size."""
    rows: list[tuple[str, int, int, float]] = []
    for size in sizes:
        shared = generator.normal(size=seeds)
        for label, truth, spread in zip("AB", models, (noise, 1.7 * noise), strict=True):
            mean = float(truth.accuracy(np.array([size]))[0])
            total = mean * (1 - mean) / spread**2 - 1
            uniform = norm.cdf((shared + generator.normal(size=seeds)) / np.sqrt(2))
            values = beta.ppf(uniform, mean * total, (1 - mean) * total)
            rows += [(label, size, seed, float(value)) for seed, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])


def true_crossings(models: tuple[Truth, Truth], sizes: tuple[int, ...]) -> np.ndarray:
    """Return the sizes at which the two curves cross, by a fine grid."""
    grid = np.geomspace(sizes[0], sizes[-1], 20_001)
    lead = models[0].accuracy(grid) - models[1].accuracy(grid)
    return grid[:-1][lead[:-1] * lead[1:] < 0]


def crossing_results(
    generator: np.random.Generator, sizes: tuple[int, ...], seeds: int, noise: float, sweeps: int
) -> Iterator[bool]:
    """Yield for each sweep whose lead is found to change once whether the interval contains the truth."""
    done = 0
    while done < sweeps:
        models = random_pair(generator, sizes)
        truth = true_crossings(models, sizes)
        if len(truth) != 1:
            continue
        done += 1
        runs = draw_sweep(generator, models, sizes, seeds=seeds, noise=noise)
        found = compare_models(runs, "A", "B", draws=1000)
        if len(found.crossings) == 1:
            (one,) = found.crossings
            yield one.low <= truth[0] <= one.high


def equivalence_results(
    generator: np.random.Generator, sizes: tuple[int, ...], seeds: int, noise: float, sweeps: int
) -> Iterator[bool]:
    """Yield for each size of each sweep whether the interval of the images A needs contains the truth."""
    grid = np.geomspace(sizes[0], sizes[-1], 20_001)
    for number in range(sweeps):
        models = random_pair(generator, sizes)
        found = data_equivalence(
            draw_sweep(generator, models, sizes, seeds=seeds, noise=noise), "A", "B", draws=1000, seed=number
        )
        own = models[0].accuracy(grid)
        wanted = models[1].accuracy(found["train_size"].to_numpy(dtype=float))
        inside = (wanted > own[0]) & (wanted < own[-1])
        truth = np.interp(wanted, own, grid)
        covered = (found["low"].to_numpy() <= truth) & (truth <= found["high"].to_numpy())
        yield from covered[inside].tolist()


def main(arguments: list[str] | None = None) -> None:
    """Print one row per case: coverage in percent and the number of intervals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sweeps", type=int, default=400, help="synthetic sweeps per case (default: 400)")
    parser.add_argument("--noise", type=float, default=0.01, help="standard deviation of the better model")
    options = parser.parse_args(arguments)
    print("| sizes | seeds | crossing, % | n | data equivalence, % | n |\n|---|---|---|---|---|---|")
    for name, sizes in SIZES.items():
        for seeds in (3, 5):
            cells: list[str] = []
            for results in (crossing_results, equivalence_results):
                generator = np.random.default_rng(seeds)
                covered = list(results(generator, sizes, seeds, options.noise, options.sweeps))
                cells += [f"{100 * np.mean(covered):.0f}" if covered else "", str(len(covered))]
            print(f"| {name} | {seeds} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
