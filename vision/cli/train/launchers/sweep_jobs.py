"""The jobs of a sweep, each of which another process can run.

>>> jobs = SweepJobs.of(launcher)  # doctest: +SKIP
>>> jobs.run(["seed=0"], 0).return_value  # doctest: +SKIP
''
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from vision.cli.train.progress import SWEEP


@dataclass(frozen=True, kw_only=True)
class SweepJobs:
    """What Hydra needs to run any job of a sweep. It can be pickled.

    Attributes:
        hydra_context: it composes configs.
        config: of the sweep.
        task_function: it is called with the config of a job.
        state: Hydra's singletons.
        folder: the folder in which the command was started.
        path: sys.path of the command.
        sweep: what `vision.cli.train.progress` passes to the runs of the sweep.
    """

    hydra_context: HydraContext
    config: DictConfig
    task_function: TaskFunction
    state: dict[object, object]
    folder: str
    path: list[str]
    sweep: str

    @classmethod
    def here(
        cls, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> "SweepJobs":
        """Return the jobs of the sweep that this process has begun."""
        return cls(
            hydra_context=hydra_context,
            config=config,
            task_function=task_function,
            state=Singleton.get_state(),
            folder=os.getcwd(),
            path=list(sys.path),
            sweep=os.environ.get(SWEEP, ""),
        )

    def run(self, overrides: Sequence[str], number: int) -> JobReturn:
        """Run one job in this process."""
        os.chdir(self.folder)
        sys.path[:] = self.path
        os.environ[SWEEP] = self.sweep
        setup_globals()
        Singleton.set_state(self.state)
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = f"{config.hydra.job.name}_{number}", number
        HydraConfig.instance().set_config(config)
        return run_job(
            hydra_context=self.hydra_context,
            config=config,
            task_function=self.task_function,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
