"""A Hydra sweeper that resumes: it composes all configs and compares them with their folders first.

Chosen in conf/train.yaml as hydra/sweeper: resuming.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import cast

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from vision import results
from vision.cli.stderr import tell
from vision.cli.train.hydra_errors import sentence
from vision.cli.train.launchers.gpu_processes import GpuLauncher
from vision.cli.train.launchers.ray_tasks import RayLauncher
from vision.cli.train.launchers.settings import check_settings, check_with_slurm
from vision.cli.train.progress import announce
from vision.cli.train.run_order import group_by_shared_data, longest_first
from vision.cli.train.schema import to_run_config
from vision.cli.train.sweep_checks import (
    check_number_of_runs,
    check_starts,
    check_train_sizes,
    without_repeats,
)
from vision.cli.train.sweep_runs import FinishedData, SweepRun, SweepRuns
from vision.cli.train.worker import CallFailed, shared_worker
from vision.config import RunConfig, check
from vision.dynamic import Arguments

# These change no other part of a config: configs that differ only in them are composed once.
FAST_OVERRIDES = ("train_size", "seed")
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
OF_HYDRA = (HydraException, OmegaConfBaseException)


class ResumingSweeper(Sweeper):
    """A sweep over all combinations, as Hydra's basic one, which skips finished runs and writes a plan.

    Before its first run, a sweep stops at a wrong setting, or at data or a model that is not available. It
    also stops if two runs share a folder, or a finished run has another config. A run that fails does not
    stop the others; the command then exits with status 1. Runs that another process computes are left to it,
    and waited for.

    Attributes:
        chosen_by: what compares the runs by their validation accuracy, if anything does.
    """

    chosen_by = ""

    def __init__(self, *, max_batch_size: int | None, params: dict[str, str] | None) -> None:
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None
        self.max_batch_size, self._params = max_batch_size, params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what a sweep needs, and make the launcher; Hydra calls this first."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[JobReturn]:
        """Run what is missing; exit with status 1 if a run of the sweep is not finished at the end."""
        started = time.perf_counter()
        with told_in_a_sentence():
            runs = self._issue(arguments)
        returned = self._launch_until_done(runs)
        for line in runs.unfinished():
            tell(line)
        seconds = time.perf_counter() - started
        tell(f"{runs.finished} of {len(runs.all)} runs finished, {seconds:.0f} s")
        if runs.finished < len(runs.all):
            raise SystemExit(1)
        return returned

    def _issue(self, arguments: list[str]) -> SweepRuns:
        """Compose, check and plan all runs; nothing is written if one is wrong."""
        overrides = self._begin(arguments)
        check_number_of_runs(overrides)
        composed = self._runs(overrides)
        if not composed:  # a glob that fits no file
            raise ValueError(f"a sweep must have a run, got none from {' '.join(arguments)}")
        check_train_sizes(composed, arguments)
        runs = SweepRuns(without_repeats(composed))
        check_starts([run.config for run in runs.to_do()], {run.folder for run in runs.all})
        self._check(runs.to_do(), runs.finished_data())
        runs.write_plan()
        announce([run.folder for run in runs.all], finished=runs.finished, failed=runs.failed_before)
        return runs

    def _begin(self, arguments: Sequence[str]) -> list[Override]:
        """Check the launcher's settings; return the overrides, those of `params` first."""
        assert self.hydra_context is not None
        self._composed = lru_cache(maxsize=None)(self._compose)
        check_settings(self._launcher_settings)
        size = self.max_batch_size
        if size is not None and not (type(size) is int and size > 0):
            raise ValueError(f"hydra.sweeper.max_batch_size must be an integer from 1, got {size}")
        if not isinstance(cast(object, self._params), Mapping):
            raise ValueError(f"hydra.sweeper.params must be a dictionary of settings, got {self._params}")
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        return parser.parse_overrides(
            [*(f"{name}={value}" for name, value in self._params.items()), *arguments]
        )

    def _runs(self, overrides: Sequence[Override]) -> list[SweepRun]:
        [batch] = BasicSweeper.split_arguments(list(overrides), None)
        return [SweepRun(overrides, self._config(overrides)) for overrides in batch]

    def _check(self, to_do: Sequence[SweepRun], finished: Sequence[FinishedData]) -> None:
        """Check what needs torch and the data, which a finished sweep does not import; estimate the work."""
        if not to_do:
            return
        if isinstance(self.launcher, GpuLauncher | RayLauncher):
            self.launcher.prepare()
        check_with_slurm(self._launcher_settings)
        try:
            needed = self._estimate(to_do, finished, trains=True)
        except results.RunDied:  # by a model that ends its process: it is left to its run
            needed = self._estimate(to_do, finished, trains=False)
        for run, work in zip(to_do, needed, strict=True):
            run.work = work
        if not self._in_one_process:  # whose jobs go to the same worker, and its data
            shared_worker().close()

    def _estimate(
        self, to_do: Sequence[SweepRun], finished: Sequence[FinishedData], *, trains: bool
    ) -> list[float]:
        from vision.cli.train.run_job import check_runs

        configs = [run.config for run in to_do]
        try:
            return shared_worker().call(check_runs, configs, finished, self.chosen_by, trains)
        except results.RunDied as died:
            if trains:
                raise
            raise ValueError(f"the check of the data and the models ended early: {died}") from died

    @property
    def _launcher_settings(self) -> Arguments:
        assert self.config is not None
        return cast(Arguments, OmegaConf.to_container(self.config.hydra.launcher, resolve=True))

    @property
    def _in_one_process(self) -> bool:
        return self._launcher_settings["_target_"] == BASIC_LAUNCHER

    def _launch_until_done(self, runs: SweepRuns) -> list[JobReturn]:
        assert self.launcher is not None
        returned: list[JobReturn] = []
        order = group_by_shared_data if self._in_one_process else longest_first
        while ready := order(runs.wait_for_ready()):
            for start in range(0, len(ready), self.max_batch_size or len(ready)):
                batch = ready[start : start + (self.max_batch_size or len(ready))]
                overrides = [run.overrides for run in batch]
                try:
                    done = self.launcher.launch(overrides, initial_job_idx=len(returned))
                except KeyboardInterrupt:
                    runs.clear_up()
                    raise
                except Exception as error:  # the launcher lost a process of its own; what is left goes on
                    tell(f"the launcher failed: {type(error).__name__}: {error}")
                    continue
                returned += done
                if full := [why for job in done if (why := _why_to_stop(job))]:
                    runs.stop(full[0])
        return returned

    def _config(self, overrides: Sequence[str]) -> RunConfig:
        quick = [override for override in overrides if override.split("=", 1)[0] in FAST_OVERRIDES]
        config = self._composed(tuple(o for o in overrides if o not in quick)).copy()
        for override in OverridesParser.create().parse_overrides(quick):
            OmegaConf.update(config, override.key_or_group, override.value())
        run = to_run_config(config)
        check(run)
        return results.with_checksum(run)

    def _compose(self, overrides: tuple[str, ...]) -> DictConfig:
        assert self.hydra_context is not None and self.config is not None
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            del config["hydra"]
        return config


@contextmanager
def told_in_a_sentence() -> Generator[None]:
    """Tell what is wrong with a sweep, and exit with status 2."""
    try:
        yield
    except (ValueError, OSError, results.DiskFull, CallFailed, *OF_HYDRA) as error:
        tell(f"vision train: {sentence(error)}")
        raise SystemExit(2) from error


def _why_to_stop(job: JobReturn) -> str:
    """Return what `vision.cli.train.train` returned: why the sweep has to stop, or nothing."""
    try:
        return str(job.return_value or "")
    except Exception as error:
        tell(f"a job failed: {type(error).__name__}: {error}")
        return ""
