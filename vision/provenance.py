"""Where a record comes from: time, machine, package versions and the commit of the code.

>>> sorted(provenance())
['commit', 'host', 'python', 'versions']
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

from vision.dynamic import JsonObject

COMMIT = "VISION_COMMIT"  # environment variable with the commit of a copy without its git history
PACKAGES = ("torch", "torchvision", "timm", "hydra-core", "numpy", "vit-vs-cnn")


@lru_cache(maxsize=1)
def provenance() -> JsonObject:
    """Return the host, the versions of Python and of the main packages, and the commit of the code."""
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
    """Return the time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def cpu_model() -> str:
    """Return the name of this machine's CPU, such as "AMD EPYC"."""
    # py-cpuinfo finds the same line, but takes a second, as it also asks CPUID in another process.
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def cpu_summary() -> str:
    """Return the name of this machine's CPU with its number of cores."""
    return f"{cpu_model()}, {os.cpu_count()} cores"


def _commit() -> str | None:
    package = Path(__file__).parent
    if given := os.environ.get(COMMIT):
        return given
    try:
        if Path(_git("rev-parse", "--show-toplevel", cwd=package)).resolve() != package.parent.resolve():
            return None  # installed inside another project's checkout
        commit = _git("rev-parse", "HEAD", cwd=package)
        return commit + (
            "+changes" if _git("status", "--porcelain", "--untracked-files=no", cwd=package) else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str, cwd: Path) -> str:
    completed = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return completed.stdout.strip()
