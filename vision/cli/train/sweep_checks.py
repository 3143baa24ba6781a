"""What is wrong with the runs of a sweep as a whole, before any of them is checked.

>>> check_number_of_runs(overrides)  # doctest: +SKIP
"""

from collections.abc import Collection, Iterable, Sequence
from math import ceil
from pathlib import Path

from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep

from vision import results
from vision.cli.train.sweep_runs import SweepRun
from vision.config import RunConfig

MOST_RUNS = 100_000


def check_number_of_runs(overrides: Sequence[Override]) -> None:
    """Refuse a sweep with so many runs that listing them would take forever, or with none."""
    runs = 1
    for override in overrides:
        sweep = override.value()
        if isinstance(sweep, RangeSweep):
            if not sweep.step:
                raise ValueError(f"a range must have a step other than 0, got {override.input_line}")
            length = ceil((float(sweep.stop or 0) - float(sweep.start or 0)) / float(sweep.step))
            runs *= max(0, length)
        elif isinstance(sweep, ChoiceSweep):
            runs *= len(sweep.list)
        if not 0 < runs <= MOST_RUNS:
            raise ValueError(
                f"a sweep must have from 1 to {MOST_RUNS:,} runs, got {runs:,} from {override.input_line}"
            )


def check_train_sizes(runs: Sequence[SweepRun], arguments: Sequence[str]) -> None:
    """Refuse data sets that differ in their training-set sizes, unless the arguments give the sizes."""
    sizes_given = any(argument.startswith("train_size=") for argument in arguments)
    sizes = list(dict.fromkeys(run.config.data.train_sizes for run in runs))
    if len(sizes) > 1 and not sizes_given:
        raise ValueError(
            f"data sets with different data.train_sizes cannot share one sweep over them, got {sizes[0]!r} "
            f"and {sizes[1]!r}; give train_size=..., or one data set at a time"
        )


def check_starts(runs: Iterable[RunConfig], planned: Collection[Path] = ()) -> None:
    """Refuse a run that starts with the weights of a run of its sweep that is neither there nor planned."""
    for run in runs:
        start, sweep = Path(run.model.init_from or ""), Path(run.output_dir) / run.sweep
        if start.is_relative_to(sweep) and not start.exists() and start not in planned:
            raise ValueError(
                f"model.init_from={start} does not exist, and is not a run of this command; train it first, "
                "or in the same sweep"
            )


def without_repeats(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return each run once, however it was spelled; refuse two different runs for one folder."""
    first: dict[Path, SweepRun] = {}
    for run in runs:
        other = first.setdefault(run.folder, run)
        if results.fingerprint(other.config) != results.fingerprint(run.config):
            differing = sorted(set(other.overrides) ^ set(run.overrides))
            raise ValueError(
                f"two runs would share the folder {run.folder}, but differ in {', '.join(differing)}; "
                "separate them by the name of the sweep, for example sweep='lr-${training.lr}'"
            )
    return list(first.values())
