"""One run from its config to its folder: the one place where data, model, training and results meet.

>>> result = run(config)  # doctest: +SKIP
>>> result["test_accuracy"], result["folder"]  # doctest: +SKIP
(0.93, 'outputs/runs/ViT/n500/s0')
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
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
from vision.models import check_name, complete_arguments, cost, create_model, save_model
from vision.provenance import now, processor, provenance
from vision.soften import start_from
from vision.training import (
    Batch,
    NonFiniteLoss,
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
    if taken := {"img_size", "in_chans", "num_classes"} & config.model.kwargs.keys():
        raise ValueError(f"model.kwargs must not set {', '.join(sorted(taken))}, which come from the data")


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
    results.write_plan(Path(config.out) / config.sweep, [folder])
    with results.writing(folder, config) as partial:
        result = _train_and_score(config, partial, report or (lambda record: None))
        results.write_json(partial / results.RESULT, result)
    return {**result, "folder": str(folder), "skipped": False}


class _Stage:
    """What a run stands on: device, images, subset, and how batches of them are read."""

    def __init__(self, config: RunConfig) -> None:
        data = config.data
        if config.training.threads:
            torch.set_num_threads(config.training.threads)
        self.config, self.device = config, resolve_device(config.training.device)
        self.source = load_source(data, device=self.device)
        labels = self.source.train.labels
        self.subset = draw_subset(
            labels, config.train_size, seed=data.subset_seed, val_fraction=data.val_fraction
        )
        self.test = _share_of(self.source.test, data.test_size)
        mean, std = data.mean, data.std
        if mean is None or std is None:
            mean, std = channel_statistics(self.source.train, self.subset.train, workers=data.workers)
        self.reading: dict[str, Any] = {
            "mean": mean,
            "std": std,
            "device": self.device,
            "workers": data.workers,
        }
        self.steps = budget_steps(config.training, len(self.subset.train))

    def train_batches(self) -> Iterator[Batch]:
        return train_batches(
            self.source.train,
            self.subset.train,
            batch_size=self.config.training.batch_size,
            seed=self.config.seed,
            augment=self.config.data.augment,
            num_classes=len(self.source.classes),
            steps=self.steps,
            **self.reading,
        )

    def score(self, model: nn.Module, images: Images, indices: Tensor | None = None) -> Scores:
        batches = eval_batches(images, indices, batch_size=EVAL_BATCH_SIZE, **self.reading)
        return evaluate(model, batches, device=self.device, precision=self.config.training.precision)

    def score_val(self, model: nn.Module) -> dict[str, float | None]:
        if not len(self.subset.val):
            return {"val_loss": None, "val_accuracy": None}
        val = self.score(model, self.source.train, self.subset.val)
        return {"val_loss": val.loss, "val_accuracy": val.accuracy}


def _train_and_score(config: RunConfig, folder: Path, report: Report) -> dict[str, Any]:
    started = now()
    stage = _Stage(config)
    _seed_everything(config.seed)
    model, arguments = _build_model(config, stage.source)
    if config.model.start:
        _start(model, config.model.start)
    model.to(stage.device)
    begun = perf_counter()
    trained = _train(stage, model, folder, report)
    seconds = perf_counter() - begun
    train, test = stage.source.train, stage.test
    tested = stage.score(trained, test)
    if not math.isfinite(tested.loss):
        raise NonFiniteLoss(stage.steps, config.training.lr, tested.loss)
    refound = stage.score(trained, train, stage.subset.train[:TRAIN_IMAGES_SCORED])
    images = {"input_size": train.shape, "mean": stage.reading["mean"], "std": stage.reading["std"]}
    save_model(trained, folder, arguments=arguments, **images)
    fewest_bytes = np.min_scalar_type(len(stage.source.classes) - 1)
    for name, classes in ((results.PREDICTIONS, tested.predictions), (results.LABELS, test.labels)):
        np.save(folder / name, classes.numpy().astype(fewest_bytes))
    size = cost(trained, train.shape)
    val = stage.score_val(trained)
    made = provenance()
    record = results.Record(
        data=config.data.name,
        model=config.model.name,
        label=config.model.label or config.model.name,
        train_size=len(stage.subset.train) + len(stage.subset.val),
        seed=config.seed,
        subset_seed=config.data.subset_seed,
        test_accuracy=tested.accuracy,
        test_loss=tested.loss,
        train_accuracy=refound.accuracy,
        train_loss=refound.loss,
        val_loss=val["val_loss"],
        val_accuracy=val["val_accuracy"],
        classes=list(stage.source.classes),
        n_test=len(test),
        n_train=len(stage.subset.train),
        n_val=len(stage.subset.val),
        steps=stage.steps,
        train_seconds=round(seconds, 3),
        params=size.params,
        macs=size.macs,
        model_arguments=arguments,
        settings=results.settings(config),
        device=_device_name(stage.device),
        precision=str(resolve_precision(config.training.precision, stage.device)).removeprefix("torch."),
        threads=torch.get_num_threads(),
        subset_sha256=stage.subset.sha256,
        config_sha256=results.fingerprint(config),
        started=started,
        finished=now(),
        host=made["host"],
        python=made["python"],
        versions=made["versions"],
        commit=made["commit"],
    )
    return record.to_json()


def _train(stage: _Stage, model: nn.Module, folder: Path, report: Report) -> nn.Module:
    def on_evaluation(current: nn.Module, record: dict[str, Any]) -> None:
        record |= stage.score_val(current)
        results.append_metrics(folder, record)
        report({**record, "steps": stage.steps})

    return fit(
        model,
        _reported(stage.train_batches(), stage.steps, report),
        stage.config.training,
        steps=stage.steps,
        device=stage.device,
        on_evaluation=on_evaluation,
    )


def _share_of(images: Images, size: int | None) -> Images:
    """The same images for every run, whatever its seeds; all of them for None."""
    if size is None or size == len(images):
        return images
    try:
        return images.pick(draw_subset(images.labels, size, seed=0, val_fraction=0.0).train)
    except ValueError as error:
        raise ValueError(f"data.test_size={size} cannot be drawn from the test split: {error}") from error


def _build_model(config: RunConfig, source: Source) -> tuple[nn.Module, dict[str, Any]]:
    channels, height, width = source.train.shape
    arguments = complete_arguments(
        config.model.name,
        img_size=height if height == width else (height, width),
        in_chans=channels,
        num_classes=len(source.classes),
        **config.model.kwargs,
    )
    model = create_model(config.model.name, **arguments)
    if not hasattr(model, "pretrained_cfg"):
        raise ValueError(
            f"model.name={config.model.name!r} cannot be saved: its entry point must build it "
            "with timm.models.build_model_with_cfg, see docs/extending.md"
        )
    return model, arguments


def _start(model: nn.Module, run: str) -> None:
    if not (Path(run) / results.RESULT).is_file():
        raise ValueError(
            f"model.start must be the folder of a finished run, got {run}; if it is one of this sweep, it "
            "has failed or not ended yet: issue the sweep again"
        )
    try:
        start_from(model, run)
    except ValueError as error:
        raise ValueError(f"model.start={run} does not fit this model: {error}") from error


def _reported(batches: Iterable[Batch], steps: int, report: Report) -> Iterator[Batch]:
    for step, batch in enumerate(batches, start=1):
        yield batch
        report({"step": step, "steps": steps})


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor() if device.type == "cpu" else device.type
