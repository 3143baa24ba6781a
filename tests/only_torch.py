"""Let this process import only torch, torchvision, timm and what they depend on: run before any other code.

Whatever else is installed is refused as if it were not there.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from typing import Any

KEPT = ("torch", "torchvision", "timm")
ITSELF = {"vision", "hydra_plugins"}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def dependencies(packages: tuple[str, ...]) -> set[str]:
    """Return packages and what they require, without extras."""
    found, todo = set(), list(packages)
    while todo:
        name = normalized(todo.pop())
        if name in found:
            continue
        try:
            lines = [line for line in requires(name) or [] if "extra ==" not in line]
        except PackageNotFoundError:  # for another platform
            continue
        found.add(name)
        todo += [match[0] for line in lines if (match := re.match(r"[\w.-]+", line))]
    return found


class Without:
    """A finder of modules that does not find some of them."""

    def __init__(self, finder: Any, modules: set[str]) -> None:
        self._finder, self._modules = finder, modules

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname.partition(".")[0] in self._modules:
            return None
        return self._finder.find_spec(fullname, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def refused() -> set[str]:
    """Return the modules of all other packages."""
    kept = dependencies(KEPT)
    return {
        module
        for module, owners in packages_distributions().items()
        if module not in ITSELF and not kept & {normalized(owner) for owner in owners}
    }


others = refused()
assert {"pandas", "hydra", "matplotlib", "sklearn", "scipy", "rich", "pyarrow"} <= others, others
assert not others & {"torch", "timm", "numpy", "PIL", "yaml", "safetensors"}, others
sys.meta_path[:] = [Without(finder, others) for finder in sys.meta_path]
