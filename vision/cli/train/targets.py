"""Which Python names a config may have called: Hydra's own, its plugins', and those that a user allows.

>>> check_targets({"hydra": {"callbacks": {"x": {"_target_": "os.system", "command": "true"}}}})
Traceback (most recent call last):
ValueError: hydra.callbacks.x._target_ must not be os.system: a config may call Hydra and its plugins only...
"""

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from hydra._internal.hydra import Hydra
from omegaconf import DictConfig, OmegaConf

from vision.cli.stderr import tell
from vision.config import ALLOWED_TARGETS
from vision.dynamic import JsonObject

ALLOWED = (
    *("hydra._internal.core_plugins.", "hydra._internal.launcher."),
    *("hydra.experimental.callbacks.", "hydra_plugins."),
)
PACKAGES = ("hydra", "hydra_plugins", "vision")  # in which what may be called is defined
CALLED = ("_target_", "()")  # Hydra's key, and that of Python's logging configs
LOGGING = ("logging.", "colorlog.")

_compose = Hydra.compose_config


def refuse_other_targets() -> None:
    """Have Hydra refuse configs that call anything else, before it makes callbacks and launchers."""
    Hydra.compose_config = _compose_checked


def check_targets(config: JsonObject) -> None:
    """Refuse a config that would call what is not allowed.

    Raises:
        ValueError: the message names the setting.
    """
    more = tuple(filter(None, os.environ.get(ALLOWED_TARGETS, "").split(",")))
    for setting, target in _targets(config, ""):
        is_logging = setting.startswith("hydra.") and "_logging." in setting and target.startswith(LOGGING)
        if not (_is_of_hydra(target) or target in more or is_logging):
            raise ValueError(
                f"{setting} must not be {target}: a config may call Hydra and its plugins only; "
                f"{ALLOWED_TARGETS} can name more, joined by commas"
            )


def _is_of_hydra(target: str) -> bool:
    """Return whether a name is that of a class that Hydra, a plugin or this package defines."""
    module, _, name = target.rpartition(".")
    if not target.startswith(ALLOWED):
        return False
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        return False
    return isinstance(found, type) and found.__module__.partition(".")[0] in PACKAGES


def _compose_checked(self: Hydra, *arguments: Any, **named: Any) -> DictConfig:
    config = _compose(self, *arguments, **named)
    try:
        check_targets(cast(JsonObject, OmegaConf.to_container(config, resolve=False)))
    except ValueError as error:
        tell(f"vision train: {error}")
        raise SystemExit(2) from error
    return config


def _targets(tree: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, list):
        for number, value in enumerate(cast(list[object], tree)):
            yield from _targets(value, f"{name}[{number}]")
    elif isinstance(tree, dict):
        for key, value in cast(dict[object, object], tree).items():
            path = f"{name}.{key}" if name else str(key)
            is_class = key == "class" and "_logging." in path
            if (key in CALLED or is_class) and isinstance(value, str):
                yield path, value
            else:
                yield from _targets(value, path)
