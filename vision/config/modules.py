"""Modules and functions of the user that a setting names.

>>> import_named("training.metrics", "os:system")
Traceback (most recent call last):
    ...
ValueError: training.metrics must name a function in a module of yours, got 'os:system'; ...
"""

import importlib
import os
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vision.reference import split_reference

ALLOWED_TARGETS = "VISION_ALLOWED_TARGETS"  # environment variable with further names, joined by commas


def import_module(setting: str, module: str | None) -> None:
    """Import the module that a setting names, for what it registers; None imports nothing.

    Raises:
        ValueError: it cannot be imported; the message names the setting and the cause.
    """
    if module is None:
        return
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a module raises, or a name that is none
        raise ValueError(
            f"{setting} must be a module that Python can import from here or from PYTHONPATH, "
            f"got {module!r}: {error}"
        ) from error


def import_named(setting: str, reference: str) -> Callable[..., Any]:
    """Return the function or class MODULE:NAME that a setting names.

    The module must be one of the user's: in the current folder or in PYTHONPATH, not one of Python or of an
    installed package. VISION_ALLOWED_TARGETS in the environment can allow more modules, joined by commas.

    Raises:
        ValueError: the reference is of another form, is not allowed, or leads to nothing that was defined
            there; the message names the setting.
    """
    module, name = split_reference(setting, reference)
    if not _is_allowed(module):
        raise ValueError(
            f"{setting} must name a function in a module of yours, got {reference!r}; {ALLOWED_TARGETS} "
            "in the environment can name other modules, joined by commas"
        )
    import_module(setting, module)
    function = getattr(sys.modules[module], name, None)
    if not callable(function) or getattr(function, "__module__", None) != module:
        raise ValueError(f"{setting}={reference}: {module} defines no function or class {name}")
    return function


def _is_allowed(module: str) -> bool:
    """Say whether a config may call what is in a module; the module is not imported for it."""
    if module in os.environ.get(ALLOWED_TARGETS, "").split(","):
        return True
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top == "vision":
        return False
    try:
        spec = find_spec(top)
    except ValueError:  # __main__ has none
        return False
    if spec is None:  # importing it will say so
        return True
    files = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return not any(Path(file).is_relative_to(folder) for file in files for folder in _installed())


def _installed() -> Iterator[str]:
    """Yield the folders of Python and of installed packages."""
    paths = sysconfig.get_paths()
    yield from (paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    yield from site.getsitepackages()
    yield site.getusersitepackages()
