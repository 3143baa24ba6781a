"""A launcher with several processes for each GPU of this machine.

vision train -m hydra/launcher=gpu hydra.launcher.per_gpu=4 ...
"""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from vision.cli.train.launchers.sweep_jobs import SweepJobs
from vision.config import GPU_SHARE

VISIBLE = "CUDA_VISIBLE_DEVICES"
QUERY = ("nvidia-smi", "--format=csv,noheader,nounits")
MIB_PER_GB = 1e9 / 2**20
SHARED = 0.95  # of a GPU's memory: the rest is for what CUDA itself keeps for each process
Slot = dict[str, str]  # variables of the environment of one process

_held: list[TextIO] = []  # in a process that runs jobs: the file of its slot, locked while it lives


class GpuLauncher(Launcher):
    """Runs jobs in processes that see one GPU each, several of them the same one.

    Args:
        gpus: as in CUDA_VISIBLE_DEVICES; None is that variable, or all that nvidia-smi lists.
        per_gpu: processes on each GPU; None is one per core, as far as `memory_gb` allows.
        memory_gb: GPU memory that a process is expected to need, in GB.
    """

    def __init__(self, *, gpus: Sequence[int | str] | None, per_gpu: int | None, memory_gb: float) -> None:
        self._gpus, self._per_gpu, self._memory_gb = gpus, per_gpu, memory_gb
        self._folder = tempfile.TemporaryDirectory(prefix="vision-gpu-")
        self._slots: list[Slot] = []

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what the jobs need; Hydra calls this first."""
        self._given = hydra_context, task_function, config

    def prepare(self) -> None:
        """Decide how many processes there are, and which GPU each one sees.

        Raises:
            ValueError: there is no GPU.
        """
        gpus = [str(gpu) for gpu in self._gpus] if self._gpus else visible_gpus()
        if not gpus:
            raise ValueError(
                "hydra/launcher=gpu found no GPU in CUDA_VISIBLE_DEVICES or by nvidia-smi; give "
                "hydra.launcher.gpus=[0], or use hydra/launcher=local"
            )
        self._slots = make_slots(gpus, self._per_gpu or fitting(gpus, self._memory_gb))

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run the jobs."""
        jobs, folder = SweepJobs.here(*self._given), Path(self._folder.name)
        joblib: Any = import_module("joblib")  # it has no types
        run = joblib.delayed(_run_in_slot)
        return joblib.Parallel(n_jobs=len(self._slots), backend="loky", batch_size=1)(
            run(folder, self._slots, jobs, overrides, number)
            for number, overrides in enumerate(job_overrides, initial_job_idx)
        )


def make_slots(gpus: Sequence[str], per_gpu: int) -> list[Slot]:
    """Return the environment of each process: GPUs in turn, with equal shares of memory and threads.

    >>> make_slots(["0", "1"], 2)[1]["CUDA_VISIBLE_DEVICES"]
    '1'
    """
    count = per_gpu * len(gpus)
    threads = max(1, _cores() // count)
    shares = {GPU_SHARE: f"{SHARED / per_gpu:.4f}", "OMP_NUM_THREADS": str(threads)}
    return [{VISIBLE: gpus[number % len(gpus)], **shares} for number in range(count)]


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if (named := os.environ.get(VISIBLE)) is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    return _ask("index")


def fitting(gpus: Sequence[str], memory_gb: float) -> int:
    """Return how many processes one GPU gets: those that cores and memory allow, and at least one."""
    memories = [int(memory) / MIB_PER_GB for gpu in gpus for memory in _ask("memory.total", gpu)]
    by_memory = [int(memory // memory_gb) for memory in memories]
    return max(1, min([_cores() // len(gpus), *by_memory]))


def _run_in_slot(
    folder: Path, slots: Sequence[Slot], jobs: SweepJobs, overrides: Sequence[str], number: int
) -> JobReturn:
    """Run a job in a process that keeps the first free slot, from its first job until it ends."""
    if not _held:
        os.environ.update(slots[_free_slot(folder, len(slots))])
    return jobs.run(overrides, number)


def _free_slot(folder: Path, count: int) -> int:
    for slot in range(count):
        file = (folder / f"{slot}").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _held.append(file)
        return slot
    raise RuntimeError(f"all {count} processes of hydra/launcher=gpu are running already")


def _ask(what: str, gpu: str | None = None) -> list[str]:
    """Return nvidia-smi's line about each GPU, or about one; nothing where it cannot be run."""
    of = ("--id", gpu) if gpu else ()
    with suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(
            [*QUERY, f"--query-gpu={what}", *of], capture_output=True, text=True, check=True, timeout=30
        )
        return listed.stdout.split()
    return []


def _cores() -> int:
    return len(os.sched_getaffinity(0))
