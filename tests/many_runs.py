"""A large sweep whose records are like real ones, written at once."""

import json
from pathlib import Path

import numpy as np

from vision import results
from vision.config import DataConfig, ModelConfig, RunConfig
from vision.results.checksums import seal
from vision.saved_files import sha256

CLASSES = [f"class {number}" for number in range(10)]


def write_many_runs(sweep: Path, *, models: int, sizes: int, seeds: int, test_images: int = 100) -> int:
    """Write a sweep's folder with a plan; returns the number of runs."""
    random, folders = np.random.default_rng(0), []
    labels = random.integers(0, 10, test_images).astype(np.uint8)
    for model in range(models):
        for size in range(sizes):
            for seed in range(seeds):
                error = (0.9 - 0.05 * model) * 2.0 ** (-(0.1 + 0.05 * model) * size)
                right = random.random(test_images) >= error
                predicted = np.where(right, labels, (labels + 1) % 10).astype(np.uint8)
                folders.append(_write_run(sweep, f"model{model}", 100 * 2**size, seed, predicted, labels))
    results.write_plan(sweep, folders, whole=True)
    return len(folders)


def _write_run(
    sweep: Path, label: str, size: int, seed: int, predicted: np.ndarray, labels: np.ndarray
) -> Path:
    config = RunConfig(
        data=DataConfig(name="digits", source="digits", subset_seed=seed),
        model=ModelConfig(name="field_cnn", label=label, kwargs={"embed_dim": 64, "depth": 4}),
        train_size=size,
        seed=seed,
        sweep=sweep.name,
        output_dir=str(sweep.parent),
    )
    folder = results.run_folder(config)
    folder.mkdir(parents=True)
    np.save(folder / results.PREDICTIONS, predicted)
    np.save(folder / results.LABELS, labels)
    steps = [
        {"step": 60 * i, "lr": 0.001, "train_loss": 2.0 / i, "val_loss": 1 / i, "val_accuracy": 0.5}
        for i in range(1, 6)
    ]
    (folder / results.METRICS).write_text("".join(json.dumps(step) + "\n" for step in steps))
    accuracy = float((predicted == labels).mean())
    settings = results.settings(config)
    record = results.Record(
        data="digits",
        model="field_cnn",
        label=label,
        train_size=size,
        seed=seed,
        subset_seed=seed,
        test_accuracy=accuracy,
        test_loss=2 - accuracy,
        train_accuracy=1.0,
        train_loss=0.1,
        late_loss_fall=0.01,
        val_loss=0.5,
        val_accuracy=accuracy,
        classes=CLASSES,
        data_summary={},
        n_test=len(labels),
        n_train=size * 9 // 10,
        n_val=size // 10,
        steps=300,
        continued_after=[],
        train_seconds=12.3,
        params=200_000 + len(label),
        macs=3_000_000,
        model_arguments={"img_size": 8, "in_chans": 1, "num_classes": 10, "embed_dim": 64},
        settings=settings,
        device="AMD EPYC, 2 cores",
        precision="float32",
        cuda_graph="on a CPU",
        threads=1,
        processes=1,
        subset_sha256=f"{size}-{seed}",
        batch_parts=1,
        data_fingerprint="contents:0",
        config_sha256=results.fingerprint(config),
        started="2026-11-27T00:00:00+00:00",
        finished="2026-11-27T00:01:00+00:00",
        host="host",
        python="3.11.7",
        versions={"torch": "2.11.0", "timm": "1.0.20"},
        commit="0" * 40,
    ).to_json()
    files = (results.PREDICTIONS, results.LABELS, results.METRICS)
    record["files_sha256"] = {name: sha256(folder / name) for name in files}
    (folder / results.RESULT).write_text(json.dumps(seal(record), indent=2))
    return folder
