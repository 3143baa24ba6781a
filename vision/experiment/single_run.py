"""One run, from its config to its folder."""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from vision import results
from vision.checkpoints import RunCheckpoint
from vision.config import ProcessOfRun, RunConfig
from vision.data import load_inputs
from vision.dynamic import JsonObject, StateDict
from vision.experiment.loggers import open_loggers
from vision.experiment.model import build_model, describe, find_start, folder_size, model_arguments
from vision.experiment.outputs import save_outputs
from vision.experiment.record import make_record
from vision.experiment.scores import final_scores
from vision.experiment.settings_check import check_run
from vision.experiment.telling import telling_others
from vision.experiment.train import ProgressCallback, train
from vision.models import Start, cost
from vision.provenance import now
from vision.training import (
    budget_steps,
    evaluate,
    from_first,
    process_group,
    resolve_device,
    share_batch_norms,
)

LOGGED = ("test_accuracy", "test_loss", "train_accuracy", "val_accuracy", "val_loss", "train_seconds")


def run(config: RunConfig, on_progress: ProgressCallback | None = None) -> JsonObject:
    """Train and score one model, or return the result of the same run if it is finished.

    Args:
        config: all settings of the run.
        on_progress: called before training with "about", a sentence on the model. Called after each step with
            "step", "steps" and "epoch", the number of passes over the training images so far, a fraction.
            Called after each validation with its line of metrics.jsonl and "steps".

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
    with process_group(resolve_device(config.training.device)) as process:
        return _lead(config, process, on_progress) if process.rank == 0 else _follow(config, process)


def _lead(config: RunConfig, process: ProcessOfRun, on_progress: ProgressCallback | None) -> JsonObject:
    """Compute the run in process 0, which alone writes; the others are told whether they take part."""
    with telling_others() as tell:
        return _run(config, process, on_progress, tell)


def _follow(config: RunConfig, process: ProcessOfRun) -> JsonObject:
    """Take part in the run of process 0, in a folder that nobody keeps; returns a record without files."""
    if not (message := from_first()):
        return {"skipped": True}
    start = find_start(config.model)
    config = results.with_checksum(config, start and start.weights)
    with TemporaryDirectory() as folder, RunCheckpoint(config, Path(folder), keeps=False) as checkpoint:
        record = _train_and_score(
            config, start, Path(folder), checkpoint, message["state"], process, lambda _: None
        )
    return {**record.to_json(), "skipped": False}


def _run(
    config: RunConfig,
    process: ProcessOfRun,
    on_progress: ProgressCallback | None,
    tell: Callable[[JsonObject], None],
) -> JsonObject:
    start = None
    with suppress(ValueError):  # a finished run stays one when the weights that it started with are gone
        start = find_start(config.model)
    config = results.with_checksum(config, start and start.weights)
    folder = results.run_folder(config)
    if (finished := _finished(folder, config)) is not None:
        return {**finished, "folder": str(folder), "skipped": True}
    start = start or find_start(config.model)
    results.write_plan(Path(config.output_dir) / config.sweep, [folder])
    place = folder.absolute()  # a model or callback may change the current folder
    with results.atomic_run_folder(place, config) as attempt, open_loggers(config) as loggers:

        def pass_on(progress: JsonObject) -> None:
            attempt.check()
            attempt.note(progress["step"], progress["steps"])
            if "train_loss" in progress:
                loggers.log(progress["step"], progress)
            if on_progress:
                on_progress(progress)

        with RunCheckpoint(config, place) as checkpoint:
            state = checkpoint.read()
            tell({"state": state})
            record = _train_and_score(
                config, start, attempt.folder, checkpoint, state, process, pass_on
            ).to_json()
        record = results.write_result(attempt.folder, record)
        loggers.log(record["steps"], {name: record[name] for name in LOGGED})
    return {**record, "folder": str(folder), "skipped": False}


def _finished(folder: Path, config: RunConfig) -> JsonObject | None:
    """Return the record of the run if it is finished, and raise an error if it failed before."""
    results.adopt_finished(folder)
    if config.retry_failed:
        results.set_aside_damaged(folder)
    finished = results.load_finished(folder, config)
    failed = None if finished else results.load_failed(folder, config)
    if failed is not None and not config.retry_failed:
        raise results.FailedBefore(folder, failed["error"])
    return finished


def _train_and_score(
    config: RunConfig,
    start: Start | None,
    folder: Path,
    checkpoint: RunCheckpoint,
    state: StateDict | None,
    process: ProcessOfRun,
    on_progress: ProgressCallback,
) -> results.Record:
    started = now()
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    device = resolve_device(config.training.device)
    known = start.statistics if start else None
    inputs = load_inputs(config.data, config.train_size, device=device, known=known, process=process)
    steps = budget_steps(config.training, len(inputs.subset.train))

    _seed_everything(config.seed)
    arguments = model_arguments(config.model, inputs.source, start)
    model = build_model(config.model, arguments, start)
    if process.rank == 0:
        results.reserve(folder, folder_size(model, len(inputs.test), len(inputs.source.classes)))
    size = cost(model, inputs.source.train.shape)
    on_progress({"step": 0, "steps": steps, "about": describe(model, inputs.source.train.shape, size)})

    score = partial(evaluate, device=device, precision=config.training.precision)
    trained = train(
        share_batch_norms(model, device, process.count).to(device),
        inputs,
        config,
        folder,
        checkpoint,
        state,
        steps=steps,
        score=score,
        on_progress=on_progress,
    )
    scores = final_scores(trained, inputs, config, score)
    if process.rank == 0:
        save_outputs(trained.model, arguments, inputs, scores.test, folder, logits=config.save_logits)
    return make_record(config, inputs, trained, scores, arguments=arguments, size=size, started=started)


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
