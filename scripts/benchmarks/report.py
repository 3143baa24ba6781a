"""The cost of a page over 2,000 runs with 10,000 test images each: seconds of the command, and bytes."""

import shutil
import statistics
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.turns import VISION, Row, Section, goal, run_processes, say
from vision import results

REPEATS = 3
MODELS, SIZES, SEEDS = 20, (50, 100, 250, 500, 1200), 20
TESTED = 10_000
TRAINED = ("debug=tiny", "data=digits", "model=identity", "training.steps=3", "training.threads=1")
LARGE, LONG = 5e6, 20.0


def report(rounds: int) -> Section:
    """Copy one real run 2,000 times, each with its own name, size, seed and predictions, and measure."""
    with TemporaryDirectory() as folder:
        say("  training the run, and copying it 2,000 times")
        run_processes([(*VISION, "train", *TRAINED, f"output_dir={folder}", "sweep=one", "train_size=50")])
        (made,) = results.collect(Path(folder) / "one")["folder"]
        _copy_run(Path(folder) / "one" / made, Path(folder) / "many")
        page = Path(folder) / "page.html"
        command = (*VISION, "report", f"{folder}/many", "--out", str(page))
        taken = [run_processes([command]) for _ in range(min(rounds, REPEATS))]
        size = page.stat().st_size
    wall = statistics.median(one.wall for one in taken)
    row: Row = {
        "runs": MODELS * len(SIZES) * SEEDS,
        "wall s": wall,
        "CPU s": statistics.median(one.cpu for one in taken),
        "page MB": size / 1e6,
        "n": len(taken),
    }
    goals = [
        goal("page over 2,000 runs: s", wall, f"<= {LONG:g}"),
        goal("page over 2,000 runs: MB", size / 1e6, f"<= {LARGE / 1e6:g}"),
    ]
    return Section([row], goals)


def _copy_run(made: Path, sweep: Path) -> None:
    record = results.read_result(made)
    generator = np.random.default_rng(0)
    labels = np.load(made / results.LABELS)
    classes = len(np.unique(labels))
    labels = np.resize(labels, TESTED)
    for model, size, seed in product(range(MODELS), SIZES, range(SEEDS)):
        folder = sweep / f"model {model}" / f"n{size}" / f"s{seed}"
        folder.mkdir(parents=True)
        shutil.copy(made / results.METRICS, folder / results.METRICS)
        # Accuracy grows with size and model, and varies over the seeds.
        accuracy = 1 - 0.9 * size ** -(0.1 + model / 100) * (1 + (seed * 7 % SEEDS - SEEDS / 2) / 500)
        wrong = generator.random(TESTED) >= accuracy
        predictions = (labels + wrong * generator.integers(1, classes, TESTED)) % classes
        accuracy = float((predictions == labels).mean())
        np.save(folder / results.LABELS, labels)
        np.save(folder / results.PREDICTIONS, predictions.astype(labels.dtype))
        varied = {"label": f"model {model}", "train_size": size, "seed": seed, "subset_seed": seed}
        varied |= {"n_test": TESTED, "test_accuracy": accuracy}
        hashes = {"subset_sha256": f"{size * 100 + seed:064x}"}
        results.write_json(folder / results.RESULT, record | varied | hashes)
