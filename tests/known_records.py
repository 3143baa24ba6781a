"""Records of runs whose truth is known, for the tests of statistics and of the page."""

import numpy as np
import pandas as pd

SIZES = (50, 100, 200, 500, 1000)


def records(*, models=("CNN", "ViT"), seeds=3, sizes=SIZES, data="digits", cross=True) -> pd.DataFrame:
    """Runs whose truth is known: the CNN's error falls as n^-0.1, the ViT's from higher up as n^-0.4."""
    generator, rows = np.random.default_rng(0), []
    for model in models:
        for size in sizes:
            for seed in range(seeds):
                error = 0.9 * size**-0.1 if model == "CNN" or not cross else 3.2 * size**-0.4
                accuracy = 1 - error * np.exp(generator.normal(0, 0.01))
                rows.append((data, model, size, seed, accuracy, 1.0))
    names = ["data", "label", "train_size", "seed", "test_accuracy", "train_accuracy"]
    return pd.DataFrame(rows, columns=names)
