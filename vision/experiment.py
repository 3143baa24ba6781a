"""One run from its config to its folder: the one place where data, model, training and results meet.

>>> result = run(config)  # doctest: +SKIP
>>> result["test_accuracy"], result["folder"]  # doctest: +SKIP
(0.93, 'outputs/runs/ViT/n500/s0')
"""

import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from vision import results
from vision.config import RunConfig, check, import_named
from vision.data import (
    Images,
    Source,
    channel_statistics,
    draw_subset,
    eval_batches,
    load_source,
    train_batches,
)
from vision.models import check_name, complete_arguments, cost, create_model
from vision.training import (
    Batch,
    Scores,
    budget_steps,
    evaluate,
    fit,
    resolve_device,
    resolve_precision,
)

Report = Callable[[dict[str, Any]], None]
EVAL_BATCH_SIZE = 500
TRAIN_IMAGES_SCORED = 10_000


def check_run(config: RunConfig) -> None:
    """Raise a ValueError for what is wrong with a config and can be told without its data."""
    check(config)
    import_named("model.module", config.model.module)
    check_name(config.model.name)


def run(config: RunConfig, report: Report | None = None) -> dict[str, Any]:
    """Train and score one model, or give the result of the same run finished earlier.

    Args:
        config: everything about the run.
        report: called after each step with "step" and "steps", and with the figures of each evaluation.

    Returns:
        The record in result.json, with "folder", and "skipped": whether the run was finished before.

    Raises:
        ValueError: a setting is wrong; the message names it, its value and what would be right.
        ConfigMismatch: the folder holds a finished run of another config.
        NonFiniteLoss: training diverged. This and every other error past the first checks is kept, with its
            traceback, in the run's folder.
    """
    check_run(config)
    folder = results.run_folder(config)
    done = results.finished(folder, config)
    if done is not None:
        return {**done, "folder": str(folder), "skipped": True}
    with results.writing(folder, config) as partial:
        result = _train_and_score(config, partial, report or (lambda record: None))
        results.write_json(partial / results.RESULT, result)
    return {**result, "folder": str(folder), "skipped": False}


def _train_and_score(config: RunConfig, folder: Path, report: Report) -> dict[str, Any]:
    started = results.now()
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    device = resolve_device(config.training.device)
    source = load_source(config.data, device=device)
    subset = draw_subset(
        source.train.labels,
        config.train_size,
        seed=config.data.subset_seed,
        val_fraction=config.data.val_fraction,
    )
    _seed_everything(config.seed)
    model, arguments = _build_model(config, source)
    model.to(device)
    reading = _reading(config, source.train, subset.train, device)
    steps = budget_steps(config.training, len(subset.train))

    def score(model: nn.Module, images: Images, indices: Tensor | None = None) -> Scores:
        batches = eval_batches(images, indices, batch_size=EVAL_BATCH_SIZE, **reading)
        return evaluate(model, batches, device=device, precision=config.training.precision)

    def on_evaluation(current: nn.Module, record: dict[str, float]) -> None:
        if len(subset.val):
            val = score(current, source.train, subset.val)
            record |= {"val_loss": val.loss, "val_accuracy": val.accuracy}
        results.append_metrics(folder, record)
        report({**record, "steps": steps})

    batches = train_batches(
        source.train,
        subset.train,
        batch_size=config.training.batch_size,
        seed=config.seed,
        augment=config.data.augment,
        num_classes=len(source.classes),
        steps=steps,
        **reading,
    )
    begun = perf_counter()
    trained = fit(
        model,
        _reported(batches, steps, report),
        config.training,
        steps=steps,
        device=device,
        on_evaluation=on_evaluation,
    )
    train_seconds = perf_counter() - begun
    test = score(trained, source.test)
    train = score(trained, source.train, subset.train[:TRAIN_IMAGES_SCORED])
    val = score(trained, source.train, subset.val) if len(subset.val) else None
    _note_preprocessing(trained, source.train.shape, reading)
    save_for_hf(trained, folder, model_args=arguments, safe_serialization=True)
    np.save(folder / results.PREDICTIONS, test.predictions.numpy().astype(np.int16))
    return {
        "status": "finished",
        "data": config.data.name,
        "model": config.model.name,
        "label": config.model.label or config.model.name,
        "train_size": len(subset.train) + len(subset.val),
        "seed": config.seed,
        "subset_seed": config.data.subset_seed,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "train_accuracy": train.accuracy,
        "train_loss": train.loss,
        "val_accuracy": val.accuracy if val else None,
        "val_loss": val.loss if val else None,
        "n_test": len(source.test),
        "n_train": len(subset.train),
        "n_val": len(subset.val),
        "steps": steps,
        "train_seconds": round(train_seconds, 3),
        **cost(trained, source.train.shape)._asdict(),
        "model_arguments": arguments,
        "device": _device_name(device),
        "precision": str(resolve_precision(config.training.precision, device)).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "subset_sha256": subset.sha256,
        "config_sha256": results.fingerprint(config),
        "started": started,
        "finished": results.now(),
        **results.provenance(),
    }


def _build_model(config: RunConfig, source: Source) -> tuple[nn.Module, dict[str, Any]]:
    channels, height, width = source.train.shape
    arguments = complete_arguments(
        config.model.name,
        img_size=height if height == width else (height, width),
        in_chans=channels,
        num_classes=len(source.classes),
        **config.model.kwargs,
    )
    return create_model(config.model.name, **arguments), arguments


def _reading(config: RunConfig, images: Images, indices: Tensor, device: torch.device) -> dict[str, Any]:
    """What training and evaluation batches have in common."""
    data = config.data
    if data.mean is not None and data.std is not None:
        mean, std = data.mean, data.std
    else:
        mean, std = channel_statistics(images, indices, workers=data.workers)
    return {"mean": mean, "std": std, "device": device, "workers": data.workers}


def _reported(batches: Iterable[Batch], steps: int, report: Report) -> Iterator[Batch]:
    for step, batch in enumerate(batches, start=1):
        yield batch
        report({"step": step, "steps": steps})


def _note_preprocessing(model: Any, shape: tuple[int, int, int], reading: dict[str, Any]) -> None:
    """Let config.json say which images the weights know; timm.data.resolve_model_data_config reads it."""
    measured = {name: tuple(reading[name]) for name in ("mean", "std")}
    model.pretrained_cfg = {**model.pretrained_cfg, **measured, "input_size": shape, "crop_pct": 1.0}


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return results.processor() if device.type == "cpu" else device.type
