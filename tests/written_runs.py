"""Finished runs with a given accuracy, in the folders that they would have."""

from pathlib import Path
from typing import Any

import numpy as np

from vision import results
from vision.config import RunConfig


def write_run(config: RunConfig, accuracy: float = 0.5) -> Path:
    """A run of an early version, whose record has no checksums."""
    folder = results.run_folder(config)
    with results.atomic_run_folder(folder, config) as attempt:
        record = {
            "label": "CNN",
            "train_size": config.train_size,
            "seed": config.seed,
            "test_accuracy": accuracy,
            "config_sha256": results.fingerprint(config),
        }
        results.write_json(attempt.folder / results.RESULT, record)
    return folder


def write_sealed_run(config: RunConfig) -> Path:
    """A run of the present version, with predictions of which three of four are right."""
    folder = results.run_folder(config)
    with results.atomic_run_folder(folder, config) as attempt:
        np.save(attempt.folder / results.PREDICTIONS, np.array([0, 1, 2, 2], dtype=np.uint8))
        np.save(attempt.folder / results.LABELS, np.array([0, 1, 2, 3], dtype=np.uint8))
        sealed(attempt.folder, config)
    return folder


def sealed(folder: Path, config: RunConfig, **more: Any) -> dict[str, Any]:
    """Write a record with checksums."""
    record = {
        "record_version": results.RECORD_VERSION,
        "data": config.data.name,
        "label": config.model.label,
        "train_size": config.train_size,
        "seed": config.seed,
        "test_accuracy": 0.75,
        "classes": ["a", "b", "c", "d"],
        "settings": results.settings(config),
        "config_sha256": results.fingerprint(config),
        **more,
    }
    return results.write_result(folder, record)
