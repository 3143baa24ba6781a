"""A Hydra sweeper that searches settings with Optuna, by validation accuracy.

vision train -m hydra/sweeper=optuna sweep=search 'training.lr=tag(log,interval(1e-4,1e-2))' ...
"""

import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from vision import results
from vision.cli.stderr import tell
from vision.cli.train.hydra_errors import sentence
from vision.cli.train.path_arguments import quoted
from vision.cli.train.progress import pass_on
from vision.cli.train.schema import to_run_config
from vision.cli.train.search.overrides import Parameters, as_overrides
from vision.cli.train.sweep_checks import MOST_RUNS, without_repeats
from vision.cli.train.sweep_runs import SweepRun, SweepRuns
from vision.cli.train.sweeper import ResumingSweeper, told_in_a_sentence

if TYPE_CHECKING:  # optuna may not be installed
    from optuna.trial import FrozenTrial

    from vision.cli.train.search.study import Search

JOURNAL = "optuna.journal"
BOUNDS = {"n_trials": (1, MOST_RUNS), "n_jobs": (1, 10_000), "seed": (0, 2**32 - 1)}


class OptunaSweeper(ResumingSweeper):
    """Searches the settings that have several values.

    The runs of a trial, one for each seed, are in the folder SWEEP/trial-NUMBER. Its value is their mean
    validation accuracy. A trial with a run that fails has no value, and the search goes on. The command ends
    with status 1 if no trial has a value, or if a run ended without a result.

    Args:
        n_trials: trials of the whole search, those of earlier commands included.
        n_jobs: trials at once; None is one, or one per core with launchers other than basic.
        sampler: tpe, gp or random.
        seed: of the sampler.
        params: overrides, before those of the command line.
    """

    chosen_by = "hydra/sweeper=optuna"

    def __init__(
        self, *, n_trials: int, n_jobs: int | None, sampler: str, seed: int, params: dict[str, str] | None
    ) -> None:
        super().__init__(max_batch_size=None, params=params)
        self._n_trials, self._n_jobs, self._sampler, self._seed = n_trials, n_jobs, sampler, seed
        self._work = 0.0  # multiply-adds of a run, about

    def sweep(self, arguments: list[str]) -> Any:
        """Make the trials that are left, in batches; print the settings of the best one."""
        started, is_whole = time.perf_counter(), True
        with told_in_a_sentence():
            search = self._open(arguments)
        while is_whole and (batch := search.start(self._at_once(), n_trials=self._n_trials)):
            self._launch(search, self._runs_of_batch(search, batch))
            is_whole = all([self._end(search, trial) for trial in batch])
        seconds = time.perf_counter() - started
        tell(f"{len(search.finished)} of {self._n_trials} trials finished, {seconds:.0f} s")
        if best := max(search.finished, key=lambda trial: trial.value or 0, default=None):
            tell(f"trial {best.number} is the best, with validation accuracy {best.value:.3f}:")
            print(shlex.join(as_overrides(best.params)))
        if not is_whole or not search.finished:
            raise SystemExit(1)

    def _open(self, arguments: Sequence[str]) -> "Search":
        """Check the search so far, and the ends of its space; nothing is written if one is wrong."""
        from vision.cli.train.search.space import ends, split_space
        from vision.cli.train.search.study import SAMPLERS, Search

        self._check_options(list(SAMPLERS))
        space, self._fixed = split_space(self._begin(arguments))
        [[base, *_]] = BasicSweeper.split_arguments(self._fixed, None)
        config = to_run_config(self._composed(tuple(base)))
        self._sweep = config.sweep
        journal = Path(config.output_dir).absolute() / config.sweep / JOURNAL
        search = Search(journal, space, sampler=self._sampler, seed=self._seed)
        search.check_space()
        tried = [run for parameters in ends(space) for run in self._runs_of(parameters, "trial")]
        finished = [run for trial in search.finished for run in self._runs_in(search, trial)]
        before = SweepRuns(without_repeats(finished))
        if damage := next((run.damage for run in before.all if run.damage), ""):
            raise ValueError(f"{damage}; retry_failed=true runs it again")
        if config.retry_failed:
            search.retry_failed()
        to_do = search.left(self._n_trials) + len(search.running)
        if to_do or before.to_do():
            self._check(tried, before.finished_data())
            self._work = fmean(run.work for run in tried)
        tell(f"{self._n_trials} trials, {len(search.ended)} ended before, {to_do} to do")
        if before.to_do():  # folders that were removed
            self._launch(search, before)
        return search

    def _check_options(self, samplers: Sequence[str]) -> None:
        given = {"n_trials": self._n_trials, "n_jobs": self._n_jobs, "seed": self._seed}
        for name, (least, most) in BOUNDS.items():
            value: Any = given[name]
            is_default = name == "n_jobs" and value is None
            if not is_default and not (type(value) is int and least <= value <= most):
                allowed = f"an integer from {least} to {most}"
                raise ValueError(f"hydra.sweeper.{name} must be {allowed}, got {value}")
        if self._sampler not in samplers:
            allowed = f"one of {', '.join(samplers)}"
            raise ValueError(f"hydra.sweeper.sampler must be {allowed}, got {self._sampler}")

    def _at_once(self) -> int:
        return self._n_jobs or (1 if self._in_one_process else len(os.sched_getaffinity(0)))

    def _runs_of_batch(self, search: "Search", batch: Sequence["FrozenTrial"]) -> SweepRuns:
        runs: list[SweepRun] = []
        for trial in batch:
            tell(f"trial {trial.number}: {' '.join(as_overrides(trial.params))}")
            try:
                runs += self._runs_in(search, trial)
            except ValueError as error:  # settings that contradict each other, but not at the ends
                tell(f"trial {trial.number} failed: {sentence(error)}")
                search.end(trial, None)
        return SweepRuns(without_repeats(runs))

    def _launch(self, search: "Search", runs: SweepRuns) -> None:
        for run in runs.all:
            run.work = self._work
        runs.write_plan()
        each = len(BasicSweeper.split_arguments(self._fixed, None)[0])
        before, later = len(search.ended) * each, search.left(self._n_trials) * each
        total = before + len(runs.all) + later
        pass_on([run.folder for run in runs.all], before=before, total=total, later=later)
        self._launch_until_done(runs)
        for line in runs.unfinished():
            tell(line)

    def _end(self, search: "Search", trial: "FrozenTrial") -> bool:
        """Note the value of a trial, or that it failed; returns False if a run of it is still to be done."""
        try:
            runs = self._runs_in(search, trial)
        except ValueError:  # it has failed
            return True
        records = [results.load_finished(run.folder, run.config) for run in runs]
        values = [float(record["val_accuracy"]) for record in records if record is not None]
        has_failed = any(results.load_failed(run.folder, run.config) for run in runs)
        if len(values) < len(runs) and not has_failed:
            return False
        search.end(trial, None if has_failed else fmean(values))
        return True

    def _runs_in(self, search: "Search", trial: "FrozenTrial") -> list[SweepRun]:
        return self._runs_of(trial.params, f"trial-{search.first_like(trial):04d}")

    def _runs_of(self, parameters: Parameters, folder: str) -> list[SweepRun]:
        name = f"sweep={quoted(f'{self._sweep}/{folder}')}"
        added = OverridesParser.create().parse_overrides([*as_overrides(parameters), name])
        return self._runs([*self._fixed, *added])
