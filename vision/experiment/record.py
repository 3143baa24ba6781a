"""The record of a run, from its config, data, training and scores."""

import torch

from vision import results
from vision.config import RunConfig
from vision.data import Inputs
from vision.dynamic import Arguments
from vision.experiment.scores import FinalScores
from vision.experiment.train import TrainedRun
from vision.models import Cost
from vision.provenance import cpu_summary, now, provenance
from vision.training import resolve_precision


def make_record(
    config: RunConfig,
    inputs: Inputs,
    trained: TrainedRun,
    scores: FinalScores,
    *,
    arguments: Arguments,
    size: Cost,
    started: str,
) -> results.Record:
    """Return the record of a run that ends now."""
    source, subset, last = inputs.source, inputs.subset, trained.validated
    origin = provenance()
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
        metrics=scores.metrics,
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
        batch_parts=trained.parts,
        cuda_graph=trained.cuda_graph,
        threads=torch.get_num_threads(),
        processes=inputs.process.count,
        subset_sha256=subset.sha256,
        data_fingerprint=source.fingerprint,
        config_sha256=results.fingerprint(config),
        started=started,
        finished=now(),
        host=origin["host"],
        python=origin["python"],
        versions=origin["versions"],
        commit=origin["commit"],
    )


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_summary() if device.type == "cpu" else device.type
