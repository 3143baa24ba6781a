"""A finished run with a given accuracy, in the folder that it would have."""

from pathlib import Path

from vision import results
from vision.config import RunConfig


def write_run(config: RunConfig, accuracy: float = 0.5) -> Path:
    folder = results.run_folder(config)
    with results.atomic_run_folder(folder, config) as partial:
        record = {
            "label": "CNN",
            "train_size": config.train_size,
            "seed": config.seed,
            "test_accuracy": accuracy,
            "config_sha256": results.fingerprint(config),
        }
        results.write_json(partial / results.RESULT, record)
    return folder
