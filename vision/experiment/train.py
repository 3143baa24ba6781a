"""The training of a run: it is validated on the way, kept in checkpoints, and continued where it was cut."""

from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from torch import nn

from vision import results
from vision.checkpoints import RunCheckpoint
from vision.config import RunConfig
from vision.data import Inputs
from vision.experiment.best_weights import BestWeights
from vision.training import Batch, Scores, Training, budget_steps, fit

ProgressCallback = Callable[[dict[str, Any]], None]
Score = Callable[[nn.Module, Iterable[Batch]], Scores]


class TrainedRun(NamedTuple):
    """The trained model, the lines of its metrics.jsonl, and which of them is that of its weights."""

    model: nn.Module
    steps: int
    cuda_graph: str
    seconds: float
    continued_after: list[int]
    curve: list[dict[str, Any]]
    validated: dict[str, Any]


def train(
    model: nn.Module,
    inputs: Inputs,
    config: RunConfig,
    folder: Path,
    checkpoint: RunCheckpoint,
    *,
    score: Score,
    on_progress: ProgressCallback,
) -> TrainedRun:
    """Train the model, or go on where it was cut; validate it on the way, and write metrics.jsonl."""
    train, val = inputs.source.train, inputs.subset.val
    steps = budget_steps(config.training, len(inputs.subset.train))
    best = BestWeights(config.training.patience) if config.training.patience else None
    if best and not len(val):
        raise ValueError(
            f"training.patience={config.training.patience} needs validation images; there are none with "
            f"train_size={config.train_size} and data.val_fraction={config.data.val_fraction}"
        )
    before = checkpoint.read()
    cut: list[int] = [*before["cut"], before["training"]["done"]] if before else []
    curve: list[dict[str, Any]] = before["curve"] if before else []
    for line in curve:
        results.append_metrics(folder, line)
    if best and before:
        best.load_state_dict(before["best"])

    def on_evaluation(current: nn.Module, record: dict[str, Any]) -> bool:
        scores = score(current, inputs.eval_batches(train, val)) if len(val) else None
        validated = {
            "val_loss": scores.loss if scores else None,
            "val_accuracy": scores.accuracy if scores else None,
        }
        curve.append(record | validated)
        results.append_metrics(folder, curve[-1])
        on_progress({**curve[-1], "steps": steps})
        return bool(best and scores and best.is_out_of_patience(current, scores.loss))

    def on_step(training: Training) -> None:
        on_progress({"step": training.done, "steps": steps})
        others = {"curve": curve, "cut": cut, "seconds": perf_counter() - start}
        checkpoint.keep_if_due(training, others | ({"best": best.state_dict()} if best else {}))

    start = perf_counter() - (before["seconds"] if before else 0.0)
    trained = fit(
        model,
        inputs.train_batches(config.training.batch_size, seed=config.seed, start=cut[-1] if cut else 0),
        config.training,
        steps=steps,
        device=inputs.device,
        on_step=on_step,
        on_evaluation=on_evaluation,
        resume=before["training"] if before else None,
    )
    seconds = perf_counter() - start
    if best:
        trained.model.load_state_dict(best.weights)
    validated = curve[best.evaluation if best else -1]
    return TrainedRun(*trained, seconds, cut, curve, validated)
