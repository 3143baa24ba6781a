"""What the settings of launchers may be, checked before the first run.

>>> check_settings({"per_gpu": 0})
Traceback (most recent call last):
ValueError: hydra.launcher.per_gpu must be an integer from 1 to 1024, got 0
"""

import subprocess
from math import isfinite
from typing import TypeGuard

from vision.dynamic import Arguments
from vision.text import one_line

SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
SECONDS_FOR_SLURM = 30
# The least value of each integer, by the name of the setting; 0 is not allowed where it is below 0.
INTEGERS = {
    **{"n_jobs": -1024, "per_gpu": 1, "timeout_min": 1, "max_num_timeout": 0, "signal_delay_s": 0},
    **{"array_parallelism": 1, "nodes": 1, "tasks_per_node": 1, "cpus_per_task": 1, "gpus_per_node": 0},
}
MOST = {"n_jobs": 1024, "per_gpu": 1024}  # of the others: a million
POSITIVE, FROM_ZERO = ("memory_gb", "num_cpus", "mem_gb"), ("num_gpus",)
OPTIONAL = ("gpus", "per_gpu", "num_gpus", "gpus_per_node", "mem_gb", "cpus_per_task", "tasks_per_node")
# What sbatch calls those on which a cluster may decide.
OF_SBATCH = {
    **{"partition": "partition", "account": "account", "qos": "qos", "constraint": "constraint"},
    **{"nodes": "nodes", "tasks_per_node": "ntasks-per-node", "cpus_per_task": "cpus-per-task"},
    **{"gpus_per_node": "gpus-per-node", "timeout_min": "time"},
}


def check_settings(launcher: Arguments) -> None:
    """Check the settings of a launcher, as Hydra composed them.

    Raises:
        ValueError: the message names the setting.
    """
    for name, value in launcher.items():
        if wanted := _wanted(name, value):
            raise ValueError(f"hydra.launcher.{name} must be {wanted}, got {value}")


def check_with_slurm(launcher: Arguments) -> None:
    """Ask Slurm, if it is the launcher, whether it would accept a job of these settings.

    Raises:
        ValueError: it would not; the message has its reason.
    """
    if launcher.get("_target_") != SLURM:
        return
    given = {option: launcher.get(name) for name, option in OF_SBATCH.items()}
    options = [f"--{option}={value}" for option, value in given.items() if value is not None]
    command = ["sbatch", "--test-only", *options, "--wrap=true"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_FOR_SLURM)
    except FileNotFoundError as error:
        raise ValueError(
            "hydra/launcher=submitit_slurm needs Slurm's sbatch, which is not installed on this machine"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"Slurm did not answer within {SECONDS_FOR_SLURM} s; see whether `sbatch --test-only` does"
        ) from error
    if asked.returncode:
        raise ValueError(f"Slurm would not accept the jobs: {one_line(asked.stderr)}")


def _wanted(name: str, value: object) -> str:
    """Return what a setting must be, if the value is something else."""
    if value is None and name in OPTIONAL:
        return ""
    if name in INTEGERS:
        least, most = INTEGERS[name], MOST.get(name, 10**6)
        is_right = type(value) is int and least <= value <= most and (least >= 0 or value != 0)
        words = f"an integer from {least} to {most}{'' if least >= 0 else ' other than 0'}"
        return "" if is_right else words
    if name in POSITIVE:
        return "" if _is_number(value) and value > 0 else "a number above 0"
    if name in FROM_ZERO:
        return "" if _is_number(value) and value >= 0 else "a number from 0"
    if name == "gpus":
        return "" if isinstance(value, list) and value else "a list of GPUs, such as [0,1]"
    return ""


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
