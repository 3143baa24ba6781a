"""The order in which the runs of a sweep start.

>>> ready = longest_first(runs.wait_for_ready())  # doctest: +SKIP
"""

from collections.abc import Sequence

from vision.cli.train.sweep_runs import SweepRun


def group_by_shared_data(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return runs for one process: those that share data, and then model, follow one another."""
    first_data: dict[str, int] = {}
    first_model: dict[str, int] = {}
    for number, run in enumerate(runs):
        first_data.setdefault(_data(run), number)
        first_model.setdefault(repr(run.config.model), number)
    return sorted(runs, key=lambda run: (first_data[_data(run)], first_model[repr(run.config.model)]))


def longest_first(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return runs for several processes: a long one that starts last would be waited for."""
    return sorted(runs, key=lambda run: -run.work)


def _data(run: SweepRun) -> str:
    data = run.config.data
    return repr((data.source, data.dataset, data.root, data.img_size, data.options))
