"""Where a record comes from: time, machine, package versions, the code's commit.

>>> provenance()["versions"]["torch"]  # doctest: +SKIP
"""

import os
import platform
import socket
import subprocess
import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMMIT = "VISION_COMMIT"  # environment variable with the commit of a copy without its git history
PACKAGES = ("torch", "torchvision", "timm", "hydra-core", "numpy", "vit-vs-cnn")


@lru_cache(maxsize=1)
def provenance() -> dict[str, Any]:
    """What a record says of its making: time, host, Python, package versions and the code's commit."""
    return {
        "host": socket.gethostname(),
        "python": sys.version.split()[0],
        "versions": {name: package_version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def package_version(package: str) -> str:
    """Return the version of an installed package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def processor() -> str:
    """Name of this machine's CPU, with its number of cores."""
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.exists()
        else []
    )
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _commit() -> str | None:
    here = Path(__file__).parent
    if given := os.environ.get(COMMIT):
        return given
    try:
        if Path(_git("rev-parse", "--show-toplevel", cwd=here)).resolve() != here.parent.resolve():
            return None  # an installed package inside somebody else's checkout
        commit = _git("rev-parse", "HEAD", cwd=here)
        return commit + (
            "+changes" if _git("status", "--porcelain", "--untracked-files=no", cwd=here) else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()
