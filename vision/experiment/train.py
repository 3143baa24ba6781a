"""The training of a run: it is validated on the way, kept in checkpoints, and continued where it was cut."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from vision import results
from vision.checkpoints import RunCheckpoint
from vision.config import RunConfig
from vision.data import Inputs
from vision.dynamic import JsonObject, StateDict
from vision.experiment.head_log import HeadLog
from vision.experiment.history import History
from vision.experiment.own_functions import OwnMetrics, own_callbacks
from vision.training import Batch, Scores, Training, fit, from_first

ProgressCallback = Callable[[JsonObject], None]
Score = Callable[[nn.Module, Iterable[Batch]], Scores]


class TrainedRun(NamedTuple):
    """The trained model, the lines of its metrics.jsonl, and which of them is that of its weights."""

    model: nn.Module
    steps: int
    cuda_graph: str
    parts: int
    seconds: float
    continued_after: list[int]
    curve: list[JsonObject]
    validated: JsonObject


def train(
    model: nn.Module,
    inputs: Inputs,
    config: RunConfig,
    folder: Path,
    checkpoint: RunCheckpoint,
    before: StateDict | None,
    *,
    steps: int,
    score: Score,
    on_progress: ProgressCallback,
) -> TrainedRun:
    """Train the model, or go on where it was cut; validate it on the way, and write metrics.jsonl.

    `before` is the state of the run where it was cut, if it was.
    """
    if config.training.patience:
        require_validation(f"training.patience={config.training.patience}", config, inputs)
    history = History(before, config.training.patience)
    heads = HeadLog(inputs) if config.training.log_inside else None
    at_start = heads.at_start(model) if heads and not history.curve else {}
    metrics = OwnMetrics(config.training)
    callbacks = own_callbacks(config.training)[: None if inputs.process.rank == 0 else 0]
    for line in history.curve:
        results.append_metrics(folder, line)

    def on_evaluation(current: nn.Module, figures: dict[str, float]) -> bool:
        line = {**figures, **_validate(current, inputs, score, metrics)}
        first = at_start if not history.curve else {}
        inside = {**first, **heads.now(current)} if heads else {}
        history.add({**line, **inside}, current)
        results.append_metrics(folder, history.curve[-1])
        on_progress({**line, "steps": steps})
        with torch.no_grad():
            stops = [callback(current.eval(), dict(line), folder) is True for callback in callbacks]
        return bool(from_first(history.out_of_patience or any(stops)))

    steps_per_epoch = len(inputs.subset.train) / config.training.batch_size

    def on_step(training: Training) -> None:
        on_progress({"step": training.done, "steps": steps, "epoch": training.done / steps_per_epoch})
        checkpoint.keep_if_due(training, history.state_dict())

    trained = fit(
        model,
        inputs.train_batches(config.training.batch_size, seed=config.seed, start=history.done),
        config.training,
        steps=steps,
        device=inputs.device,
        on_step=on_step,
        on_evaluation=on_evaluation,
        resume=before["training"] if before else None,
    )
    seconds = history.seconds
    validated = history.restore_best(trained.model)
    return TrainedRun(*trained, seconds, history.cut, history.curve, validated)


def require_validation(what: str, config: RunConfig, inputs: Inputs) -> None:
    """Refuse a run without validation images, which something that a user asks for needs.

    Raises:
        ValueError: the message begins with `what`.
    """
    if not len(inputs.subset.val):
        raise ValueError(
            f"{what} needs validation images; there are none with train_size={config.train_size} and "
            f"data.val_fraction={config.data.val_fraction}"
        )


def _validate(model: nn.Module, inputs: Inputs, score: Score, metrics: OwnMetrics) -> dict[str, float | None]:
    """Return loss, accuracy and own metrics on the validation images; None and no metrics without any."""
    images, val = inputs.source.train, inputs.subset.val
    if not len(val):
        return {"val_loss": None, "val_accuracy": None}
    scores = score(model, inputs.eval_batches(images, val))
    own = metrics(scores.logits, images.labels[val].cpu())
    return {
        "val_loss": scores.loss,
        "val_accuracy": scores.accuracy,
        **{f"val_{name}": value for name, value in own.items()},
    }
