"""Finished runs on changed test images, and the linear probe of their features.

Runs with the same test images are evaluated together, so that each image is changed once for all of them.

>>> evaluate_images(Path("outputs/demo"), runs, Options(("occlusion",)))  # doctest: +SKIP
[]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from vision import results
from vision.cli.evaluate.chosen_images import ChosenImages, choose_images
from vision.cli.evaluate.inside import INSIDE, evaluate_inside
from vision.cli.evaluate.models import LoadedRun, load_runs
from vision.cli.evaluate.probe import Transfer, TransferImages, probe_run, read_transfer
from vision.cli.evaluate.progress import EvaluationProgress
from vision.cli.evaluate.runs import FinishedRun
from vision.robustness import AS_THEY_ARE, EVALUATIONS, SEVERITIES, changes, score_changes
from vision.training import resolve_device

WEIGHTS_TOGETHER = 2**30  # bytes of weights in memory at once


@dataclass(frozen=True, slots=True)
class Options:
    """What `vision evaluate` was asked for.

    Attributes:
        names: of the evaluations.
        severities: of the corruptions.
        images: test images at most; None is all.
        transfer: settings of the data of transfer.
        device: auto, cpu, cuda or mps.
    """

    names: Sequence[str]
    severities: Sequence[int] = SEVERITIES
    images: int | None = None
    transfer: Sequence[str] = ()
    device: str = "auto"


def evaluate_images(sweep: Path, runs: Sequence[FinishedRun], options: Options) -> list[str]:
    """Evaluate runs and write their rows; returns a sentence for each run that is left out.

    Raises:
        ValueError: the device does not exist, or the data of transfer cannot be read.
    """
    device = resolve_device(options.device, setting="--device")
    tables = {name: results.EvaluationTable(sweep, name) for name in options.names}
    transfer = Transfer(options.transfer) if options.transfer else None
    sentences: list[str] = []
    with EvaluationProgress() as progress:
        for part in _parts(runs):
            loaded, failed = load_runs(part, device)
            sentences += failed
            for group in _groups(loaded):
                inputs = group[0].inputs
                images = choose_images(inputs.test, options.images, setting="--images")
                # Read before the first evaluation, so that a wrong setting costs no work.
                other = read_transfer(transfer, inputs.source.train.shape) if transfer else None
                for name, table in tables.items():
                    if name in EVALUATIONS:
                        _score_changes(name, group, images, options, table, progress)
                    elif name in INSIDE:
                        evaluate_inside(name, group, images, table, progress)
                    else:
                        _probe(name, group, images, options, table, other, progress)
    return sentences


def _score_changes(
    name: str,
    runs: Sequence[LoadedRun],
    images: ChosenImages,
    options: Options,
    table: results.EvaluationTable,
    progress: EvaluationProgress,
) -> None:
    """Score the changes that are not in the table yet, and write each as soon as it is known."""
    colour = images.pixels.double().mean((0, 2, 3))
    shape = runs[0].inputs.source.train.shape
    wanted = changes(name, shape, severities=options.severities, colour=colour)
    count = len(images.labels)

    def is_missing(run: LoadedRun, kind: str, level: float) -> bool:
        return not table.has(**run.finished.key, kind=kind, level=level, images=count)

    everything = [AS_THEY_ARE, *wanted]
    todo = [run for run in runs if any(is_missing(run, one.kind, one.level) for one in everything)]
    missing = [one for one in wanted if any(is_missing(run, one.kind, one.level) for run in todo)]
    if not todo:
        return
    classifiers = [run.classifier for run in todo]
    scored = score_changes(classifiers, images.pixels, images.labels, images.numbers, missing)
    for kind, level, scores in progress.track(scored, name, total=len(missing) + 1):
        found = {"kind": kind, "level": level, "images": count}
        pairs = zip(todo, scores, strict=True)
        table.add({**run.columns, **found, **own} for run, own in pairs if is_missing(run, kind, level))


def _probe(
    name: str,
    runs: Sequence[LoadedRun],
    images: ChosenImages,
    options: Options,
    table: results.EvaluationTable,
    other: TransferImages | None,
    progress: EvaluationProgress,
) -> None:
    """Fit the linear probes that are not in the table, on their own data or on that of transfer."""
    inputs = runs[0].inputs
    if name == "transfer" and other is not None:
        kind, train = other.name, other.train
        test = choose_images(other.test, options.images, setting="--images")
    else:
        kind, train, test = inputs.config.name, inputs.source.train, images
    for run in progress.track(runs, name, total=len(runs)):
        key = {**run.finished.key, "kind": kind, "images": len(test.labels)}
        own_subset = torch.cat([run.inputs.subset.train, run.inputs.subset.val])
        trained_on = own_subset if name == "probe" else own_subset[:0]
        rows = probe_run(
            run,
            train,
            (test.pixels, test.labels),
            trained_on,
            known=partial(table.has, **key),
        )
        table.add({**run.columns, **key, **row} for row in rows)


def _parts(runs: Sequence[FinishedRun]) -> Iterator[list[FinishedRun]]:
    """Yield runs in parts whose weights fit into memory together, sorted by their data."""
    part, size = list[FinishedRun](), 0
    for run in sorted(runs, key=lambda one: str(one.row.get("data_fingerprint"))):
        own = (run.path / results.WEIGHTS).stat().st_size
        if part and size + own > WEIGHTS_TOGETHER:
            yield part
            part, size = [], 0
        part.append(run)
        size += own
    yield part


def _groups(runs: Sequence[LoadedRun]) -> list[list[LoadedRun]]:
    """Return the runs that share their test images, together."""
    groups: dict[tuple[object, ...], list[LoadedRun]] = {}
    for run in runs:
        inputs = run.inputs
        key = (inputs.config.name, inputs.source.fingerprint, inputs.source.test.shape, len(inputs.test))
        groups.setdefault(key, []).append(run)
    return list(groups.values())
