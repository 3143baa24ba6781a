"""One run, from its config to its folder.

>>> result = run(config)  # doctest: +SKIP
>>> result["test_accuracy"], result["folder"]  # doctest: +SKIP
(0.93, 'outputs/runs/ViT/n500/s0')
"""

import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vision import results
from vision.checkpoints import RunCheckpoint
from vision.config import ModelConfig, RunConfig, check, import_named
from vision.data import Inputs, Source, load_inputs
from vision.models import (
    check_name,
    check_size,
    complete_arguments,
    cost,
    create_model,
    describe_grid,
    save_model,
    too_many_tokens,
)
from vision.provenance import cpu_summary, now, provenance
from vision.soften import start_from
from vision.training import (
    Batch,
    NonFiniteLoss,
    Scores,
    Training,
    budget_steps,
    evaluate,
    fit,
    resolve_device,
    resolve_precision,
)

ProgressCallback = Callable[[dict[str, Any]], None]
_Score = Callable[[nn.Module, Iterable[Batch]], Scores]
TRAIN_IMAGES_SCORED = 10_000


def check_run(config: RunConfig) -> None:
    """Raise a ValueError that names the first wrong setting that can be found without the data."""
    check(config)
    import_named("model.module", config.model.module)
    check_name(config.model.name)
    if from_data := {"img_size", "in_chans", "num_classes"} & config.model.kwargs.keys():
        raise ValueError(
            f"model.kwargs must not set {', '.join(sorted(from_data))}, which come from the data"
        )
    if config.data.img_size is not None:
        _check_size(config.model.name, config.data.img_size, json.dumps(config.model.kwargs, default=repr))


@lru_cache(maxsize=256)
def _check_size(name: str, img_size: int, kwargs: str) -> None:
    check_size(name, img_size, json.loads(kwargs))


def run(config: RunConfig, on_progress: ProgressCallback | None = None) -> dict[str, Any]:
    """Train and score one model, or return the result of the same run if it is finished.

    Args:
        config: all settings of the run.
        on_progress: called before training with "about", a sentence on the model, after each step with
            "step" and "steps", and after each validation with its line of metrics.jsonl and "steps".

    Returns:
        The record in result.json, with "folder", and "skipped": whether the run was finished before.

    Raises:
        ValueError: a setting is wrong; the message names it, its value and what would be right.
        ConfigMismatch: the folder holds a finished run of another config.
        FailedBefore: the same run failed before, and `retry_failed` is off.
        RunInProgress: another process computes this run.
        DiskFull: there is no room for its files; it is not recorded as failed.
        NonFiniteLoss: training diverged. This error, and any other after the first checks, is kept with
            its traceback in the run's folder.
    """
    check_run(config)
    folder = results.run_folder(config)
    results.adopt_finished(folder)
    if config.retry_failed:
        results.set_aside_damaged(folder)
    finished = results.load_finished(folder, config)
    if finished is not None:
        return {**finished, "folder": str(folder), "skipped": True}
    failed = results.load_failed(folder, config)
    if failed is not None and not config.retry_failed:
        raise results.FailedBefore(folder, failed["error"])
    results.write_plan(Path(config.output_dir) / config.sweep, [folder])
    with results.atomic_run_folder(folder, config) as attempt:

        def report(progress: dict[str, Any]) -> None:
            attempt.check()
            if on_progress:
                on_progress(progress)

        with RunCheckpoint(config, folder) as checkpoint:
            record = _train_and_score(config, attempt.folder, checkpoint, report).to_json()
        record = results.write_result(attempt.folder, record)
    checkpoint.remove()
    return {**record, "folder": str(folder), "skipped": False}


def _train_and_score(
    config: RunConfig, folder: Path, checkpoint: RunCheckpoint, on_progress: ProgressCallback
) -> results.Record:
    started = now()
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    device = resolve_device(config.training.device)
    score = partial(evaluate, device=device, precision=config.training.precision)

    inputs = load_inputs(config.data, config.train_size, device=device)
    _seed_everything(config.seed)
    model, arguments = build_model(config.model, inputs.source)
    results.reserve(folder, folder_size(model, len(inputs.test), len(inputs.source.classes)))
    steps = budget_steps(config.training, len(inputs.subset.train))
    on_progress({"step": 0, "steps": steps, "about": _about(model, inputs.source.train.shape)})
    model.to(device)
    trained = _train(model, inputs, config, folder, checkpoint, score=score, on_progress=on_progress)
    scores = _final_scores(trained, inputs, config, score)
    _save(trained.model, arguments, inputs, scores.test, folder, logits=config.save_logits)
    return _record(config, inputs, trained, scores, arguments=arguments, started=started)


def _about(model: nn.Module, shape: tuple[int, int, int]) -> str:
    """Return the grid and size of a model in words, and a warning if its cost is out of proportion."""
    params = sum(p.numel() for p in model.parameters() if p.requires_grad)
    size = f"{params:,} parameters for images of {shape[1]} x {shape[2]} pixels"
    parts = (describe_grid(model, shape), size, too_many_tokens(model, shape))
    return "; ".join(part for part in parts if part)


class _FinalScores(NamedTuple):
    """The scores of the trained model on the test images, and on the first training images."""

    test: Scores
    train: Scores


def _final_scores(trained: "_Trained", inputs: Inputs, config: RunConfig, score: _Score) -> _FinalScores:
    test = score(trained.model, inputs.eval_batches(inputs.test))
    if not math.isfinite(test.loss):
        raise NonFiniteLoss(trained.steps, config.training.lr, test.loss)
    first = inputs.subset.train[:TRAIN_IMAGES_SCORED]
    return _FinalScores(test, score(trained.model, inputs.eval_batches(inputs.source.train, first)))


def _save(
    model: nn.Module, arguments: dict[str, Any], inputs: Inputs, test: Scores, folder: Path, *, logits: bool
) -> None:
    """Write the model, and its predictions next to the true classes."""
    shape, classes = inputs.source.train.shape, inputs.source.classes
    results.release(folder)
    save_model(model, folder, arguments=arguments, input_size=shape, mean=inputs.mean, std=inputs.std)
    _save_classes(folder / results.PREDICTIONS, test.predictions, classes)
    _save_classes(folder / results.LABELS, inputs.test.labels, classes)
    if logits:
        _save_logits(folder / results.LOGITS, test.logits)


def _record(
    config: RunConfig,
    inputs: Inputs,
    trained: "_Trained",
    scores: _FinalScores,
    *,
    arguments: dict[str, Any],
    started: str,
) -> results.Record:
    source, subset, last = inputs.source, inputs.subset, trained.validated
    size, origin = cost(trained.model, source.train.shape), provenance()
    return results.Record(
        data=config.data.name,
        model=config.model.name,
        label=config.model.label or config.model.name,
        train_size=subset.size,
        seed=config.seed,
        subset_seed=config.data.subset_seed,
        test_accuracy=scores.test.accuracy,
        test_loss=scores.test.loss,
        train_accuracy=scores.train.accuracy,
        train_loss=scores.train.loss,
        late_loss_fall=results.late_loss_fall(trained.curve),
        val_loss=last["val_loss"],
        val_accuracy=last["val_accuracy"],
        classes=list(source.classes),
        data_summary=inputs.summary(),
        n_test=len(inputs.test),
        n_train=len(subset.train),
        n_val=len(subset.val),
        steps=trained.steps,
        continued_after=trained.continued_after,
        train_seconds=round(trained.seconds, 3),
        params=size.params,
        macs=size.macs,
        model_arguments=arguments,
        settings=results.settings(config),
        device=_device_name(inputs.device),
        precision=str(resolve_precision(config.training.precision, inputs.device)).removeprefix("torch."),
        cuda_graph=trained.cuda_graph,
        threads=torch.get_num_threads(),
        subset_sha256=subset.sha256,
        config_sha256=results.fingerprint(config),
        started=started,
        finished=now(),
        host=origin["host"],
        python=origin["python"],
        versions=origin["versions"],
        commit=origin["commit"],
    )


def folder_size(model: nn.Module, test_images: int, classes: int) -> int:
    """Return about how many bytes the files of a run need: weights, outputs for the test images, and 1 MB."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    return weights + (8 + 2 * classes) * test_images + 2**20


def model_arguments(config: ModelConfig, source: Source) -> dict[str, Any]:
    """Return all arguments of the model's constructor for the images of a source."""
    channels, height, width = source.train.shape
    return complete_arguments(
        config.name,
        img_size=height if height == width else (height, width),
        in_chans=channels,
        num_classes=len(source.classes),
        **config.kwargs,
    )


def build_model(config: ModelConfig, source: Source) -> tuple[nn.Module, dict[str, Any]]:
    """Return the model with its first weights, and all arguments of its constructor."""
    arguments = model_arguments(config, source)
    model = create_model(config.name, **arguments)
    if not (hasattr(model, "pretrained_cfg") and hasattr(model, "num_features")):
        raise ValueError(
            f"model.name={config.name!r} cannot be saved: its entry point must build it with "
            "timm.models.build_model_with_cfg, and it needs num_features, see docs/extending.md"
        )
    if config.init_from:
        _load_start(model, config.init_from)
    return model, arguments


def _load_start(model: nn.Module, run_folder: str) -> None:
    if not (Path(run_folder) / results.RESULT).is_file():
        raise ValueError(
            f"model.init_from must be the folder of a finished run, got {run_folder}; if it is a run of this "
            "sweep, it failed or has not finished: rerun the sweep"
        )
    try:
        start_from(model, run_folder)
    except ValueError as error:
        raise ValueError(f"model.init_from={run_folder} does not fit this model: {error}") from error


class _Trained(NamedTuple):
    """The trained model, the lines of its metrics.jsonl, and which of them is that of its weights."""

    model: nn.Module
    steps: int
    cuda_graph: str
    seconds: float
    continued_after: list[int]
    curve: list[dict[str, Any]]
    validated: dict[str, Any]


def _train(
    model: nn.Module,
    inputs: Inputs,
    config: RunConfig,
    folder: Path,
    checkpoint: RunCheckpoint,
    *,
    score: _Score,
    on_progress: ProgressCallback,
) -> _Trained:
    """Train the model, or go on where it was cut; validate it on the way, and write metrics.jsonl."""
    train, val = inputs.source.train, inputs.subset.val
    steps = budget_steps(config.training, len(inputs.subset.train))
    best = _Best(config.training.patience) if config.training.patience else None
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
    return _Trained(*trained, seconds, cut, curve, validated)


class _Best:
    """The weights of the lowest validation loss, and how many evaluations have passed since."""

    def __init__(self, patience: int) -> None:
        self.patience, self.lowest, self.weights = patience, math.inf, dict[str, Tensor]()
        self.evaluation = self.seen = 0

    def is_out_of_patience(self, model: nn.Module, loss: float) -> bool:
        """Note one evaluation."""
        if loss < self.lowest or not self.weights:
            self.lowest, self.evaluation = loss, self.seen
            self.weights = {name: value.clone() for name, value in model.state_dict().items()}
        self.seen += 1
        return self.seen - 1 - self.evaluation >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Return all but the patience."""
        return {name: getattr(self, name) for name in ("lowest", "weights", "evaluation", "seen")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was called."""
        for name, value in state.items():
            setattr(self, name, value)


def _save_classes(path: Path, indices: Tensor, classes: Sequence[str]) -> None:
    """Write class indices (N,) in the smallest integer type that holds them."""
    np.save(path, indices.numpy().astype(np.min_scalar_type(len(classes) - 1)))


def _save_logits(path: Path, logits: Tensor) -> None:
    """Write logits (N, classes) as float16, which keeps three decimal digits; the largest become 65,504."""
    largest = torch.finfo(torch.float16).max
    np.save(path, logits.clamp(-largest, largest).half().numpy())


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_summary() if device.type == "cpu" else device.type
