"""A launcher whose jobs are tasks of Ray. Hydra's own for Ray cannot be installed next to current packages.

vision train -m hydra/launcher=ray hydra.launcher.num_gpus=0.25 ...
"""

# ray.remote has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from vision.cli.train.launchers.gpu_processes import visible_gpus
from vision.cli.train.launchers.sweep_jobs import SweepJobs
from vision.text import one_line

SECONDS_FOR_ADDRESS = 10


class RayLauncher(Launcher):
    """Runs each job as a task of Ray, which gives it CPUs and GPUs of its own.

    Args:
        address: local starts Ray on this machine; auto or HOST:PORT uses a cluster that runs.
        num_cpus: of one job.
        num_gpus: of one job, fractions allowed; None is 1 where Ray finds GPUs.
    """

    def __init__(self, *, address: str, num_cpus: float, num_gpus: float | None) -> None:
        self._address, self._num_cpus, self._num_gpus = address, num_cpus, num_gpus

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what the jobs need; Hydra calls this before `launch`."""
        self._given = hydra_context, task_function, config

    def prepare(self) -> None:
        """Check that Ray can be reached, and has what a job needs.

        Raises:
            ValueError: the message names the setting.
        """
        if self._address == "local":
            self._check_resources(os.cpu_count() or 1, len(visible_gpus()))
            return
        _check_address(self._address)
        import ray

        try:
            self._init()
        except Exception as error:  # whatever Ray raises where no cluster runs
            raise ValueError(_no_answer(self._address, error)) from error
        resources: Mapping[str, float] = ray.cluster_resources()
        ray.shutdown()
        self._check_resources(resources.get("CPU", 0.0), resources.get("GPU", 0.0))

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run the jobs; one whose process Ray has lost is returned as failed."""
        import ray

        self._init()
        try:
            num_gpus = self._num_gpus
            if num_gpus is None:
                num_gpus = min(1.0, ray.cluster_resources().get("GPU", 0.0))
            # One call for each process if it has a GPU, so that the next one gets the memory.
            task = ray.remote(num_cpus=self._num_cpus, num_gpus=num_gpus, max_retries=0)(SweepJobs.run)
            jobs = ray.put(SweepJobs.here(*self._given))
            tasks = [
                task.remote(jobs, list(overrides), number)
                for number, overrides in enumerate(job_overrides, initial_job_idx)
            ]
            return [_wait_for(task) for task in tasks]
        finally:
            ray.shutdown()

    def _init(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # lines of different runs may look alike
        import ray

        dashboard = False if self._address == "local" else None
        ray.init(address=self._address, include_dashboard=dashboard, logging_level=logging.WARNING)

    def _check_resources(self, cpus: float, gpus: float) -> None:
        asked = {"num_cpus": (self._num_cpus, cpus), "num_gpus": (self._num_gpus or 0, gpus)}
        for name, (wanted, there) in asked.items():
            if wanted > there:
                what = name.removeprefix("num_").upper()
                raise ValueError(f"hydra.launcher.{name}={wanted:g} is more than the {there:g} {what} of Ray")


def _check_address(address: str) -> None:
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"hydra.launcher.address must be local, auto, or HOST:PORT, got {address}")
    try:
        socket.create_connection((host, int(port)), timeout=SECONDS_FOR_ADDRESS).close()
    except (OSError, OverflowError) as error:
        raise ValueError(_no_answer(address, error)) from error


def _no_answer(address: str, error: Exception) -> str:
    return f"hydra.launcher.address={address} does not answer: {one_line(error)}"


def _wait_for(task: Any) -> JobReturn:
    import ray
    from ray.exceptions import RayError

    try:
        return ray.get(task)
    except RayError as error:
        return JobReturn(status=JobStatus.FAILED, _return_value=error)
