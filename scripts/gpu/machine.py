"""What a figure depends on besides the code's logic: card, driver, versions, commit.

>>> describe_machine("cpu")["device"]  # doctest: +SKIP
'AMD EPYC 9B45, 2 cores'
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gpu.process import ROOT

PACKAGES = ("torch", "torchvision", "triton", "timm", "numpy", "hydra-core")
SMOKE = """
import json, torch
x = torch.randn(512, 512, device="cuda")
assert bool((x @ x).isfinite().all())
print(json.dumps({"card": torch.cuda.get_device_name(), "cuda": torch.version.cuda,
                  "cudnn": str(torch.backends.cudnn.version()), "works": True}))
"""
COMMIT_FILES = ("COMMIT", ".gpu/COMMIT")  # for a copy of the project without its git history


def find_commit(given: str | None = None) -> str:
    """Return the commit: the one given, else VISION_COMMIT, git's, that of a file, or "unknown"."""
    git = _output("git", "-C", str(ROOT), "rev-parse", "HEAD")
    top = _output("git", "-C", str(ROOT), "rev-parse", "--show-toplevel")
    if git and top and Path(top).resolve() == ROOT.resolve():
        git += "+changes" if _output("git", "-C", str(ROOT), "status", "--porcelain", "-uno") else ""
    else:
        git = None
    files = (ROOT / name for name in COMMIT_FILES)
    written = next((file.read_text().strip() for file in files if file.is_file()), None)
    return given or os.environ.get("VISION_COMMIT") or git or written or "unknown"


def describe_machine(device: str) -> dict[str, Any]:
    """Return card, driver, versions and processor; never raises, so that no part is lost for it."""
    described: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "cpu": _processor(),
        "cores": os.cpu_count(),
    }
    if device == "cuda":
        described |= _card()
    return {"device": described.get("card", described["cpu"]), **described}


def _card() -> dict[str, Any]:
    asked = "name,driver_version,memory.total,clocks.max.sm,compute_cap"
    line = _output("nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader")
    first = line.splitlines()[0] if line else ""
    named = dict(zip(asked.split(","), map(str.strip, first.split(",")), strict=False))
    card = {
        "card": named.get("name") or "unknown",
        "driver": named.get("driver_version"),
        "memory": named.get("memory.total"),
        "max_sm_clock": named.get("clocks.max.sm"),
        "compute_capability": named.get("compute_cap"),
    }
    # In a process of its own: a driver that hangs or crashes must not take this one with it.
    seen = _output(sys.executable, "-c", SMOKE) or "{}"
    return card | json.loads(seen.splitlines()[-1])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _output(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
