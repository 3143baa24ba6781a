"""The launchers of sweeps, with settings that suit a small machine, and whether they can be used here."""

import importlib.util
import shutil
import subprocess
from functools import lru_cache

import pytest

LAUNCHERS = {
    "local": ["hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra.sweeper.max_batch_size=2"],
    "submitit_slurm": ["hydra.launcher.cpus_per_task=1"],
    "ray": [],
    "gpu": ["hydra.launcher.gpus=[3,5]", "hydra.launcher.per_gpu=1", "training.device=cpu"],
}
PACKAGES = {"local": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"}


def launched_by(launcher: str) -> list[str]:
    """The settings that choose a launcher; skips the test where it cannot be used."""
    package = PACKAGES.get(launcher)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if launcher == "submitit_slurm" and not _slurm_answers():
        pytest.skip("Slurm does not run here; .ci/slurm starts it")
    return [f"hydra/launcher={launcher}", *LAUNCHERS.get(launcher, [])]


@lru_cache  # it takes seconds to find out that Slurm does not run
def _slurm_answers() -> bool:
    if shutil.which("sinfo") is None:
        return False
    return subprocess.run(["sinfo"], capture_output=True, timeout=60).returncode == 0
