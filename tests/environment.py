"""A virtual environment that holds some of the packages installed here, and what they depend on."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

PLATFORM_TOOLS = {"pip", "setuptools", "wheel"}


def make_environment(folder: Path, *packages: str, wheel: Path) -> Path:
    """Make an environment with a wheel, without its dependencies, and return the folder of its programs.

    The packages are links to those of the environment that the tests run in.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in dependencies(*packages):
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            link = site / top
            if not link.is_symlink():
                link.symlink_to(Path(str(found.locate_file(top))))
    install = ["pip", "--python", str(folder / "bin" / "python"), "install", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, "-m", *install, str(wheel)], check=True, capture_output=True)
    return folder / "bin"


def dependencies(*packages: str) -> set[str]:
    """Return packages and what they require, without extras."""
    found, todo = set[str](), list(packages)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            lines = [line for line in requires(name) or [] if "extra ==" not in line]
        except PackageNotFoundError:  # for another platform
            continue
        found.add(name)
        todo += [match[0] for line in lines if (match := re.match(r"[\w.-]+", line))]
    return found - PLATFORM_TOOLS
