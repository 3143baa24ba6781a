"""Old names of settings on the command line and in YAML files, replaced before Hydra checks them.

>>> current_overrides(["training.ema=0.9", "+model.kwargs.depth=2"])
['training.ema_decay=0.9', '+model.kwargs.depth=2']
"""

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import PurePosixPath
from typing import cast

from hydra._internal.core_plugins.file_config_source import FileConfigSource as _FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf

from vision.cli.stderr import tell
from vision.cli.train.flags import check_flag
from vision.cli.train.missing import mark_missing
from vision.cli.train.path_arguments import with_home
from vision.cli.train.progress import SWEEP
from vision.config import DISTANCE, OLD_DISTANCE, RENAMED
from vision.dynamic import JsonObject

_OVERRIDE = re.compile(r"(\+\+|\+|~)?([\w./]+)(=.*)?", re.DOTALL)
_DIGITS = re.compile(r"""['"]?\d+['"]?(\s*,\s*['"]?\d+['"]?)*""")


def current_overrides(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of `vision train` with the present names of settings.

    Raises:
        ValueError: a setting is given under its old and its present name.
    """
    split = [_OVERRIDE.fullmatch(argument) for argument in arguments]
    names = {match[2]: match[3] or "" for match in split if match}
    renamed = _renamed({name: value.removeprefix("=") for name, value in names.items()})
    result: list[str] = []
    for argument, match in zip(arguments, split, strict=True):
        if match:
            sign, name, value = match[1] or "", match[2], match[3] or ""
            if renamed.get(name) == DISTANCE:
                value = re.sub("['\"]", "", value)
            argument = f"{sign}{renamed.get(name, name)}{value}"
        result.append(_rename_interpolations(argument, renamed))
    return result


def accept_old_names() -> None:
    """Let Hydra read YAML files with old names of settings."""
    SourcesRegistry.instance().types["file"] = FileConfigSource


class FileConfigSource(_FileConfigSource):
    """Hydra's source of YAML files, under the same name, which Hydra requires.

    It replaces old names of settings, and lists no files that begin with an underscore: these are bases of
    other files rather than choices.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file; its settings have their present names, and those that must be given are marked.

        A ~ that begins a path becomes the home folder.

        Raises:
            ValueError: a setting is given under two names, or as a number instead of true or false.
        """
        result = super().load_config(config_path)
        tree = OmegaConf.to_container(result.config, resolve=False)
        group = ".".join(PurePosixPath(config_path).parts[:-1])
        package = result.header.get("package") or group
        package = package.replace("_group_", group).removeprefix("_global_").removeprefix(".")
        leaves = _leaves(tree, package)
        renamed = _renamed(leaves)
        for name, value in leaves.items():
            check_flag(renamed.get(name, name), value)
        renewed = with_home(_rename_keys(tree, package, renamed), package)
        current = cast(JsonObject, mark_missing(renewed))
        if current != tree:
            result.config = OmegaConf.create(current)
        return result

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """List the choices of a group."""
        return [name for name in super().list(config_path, results_filter) if not name.startswith("_")]


def _renamed(settings: JsonObject) -> dict[str, str]:
    """Return old -> present names of those settings that have an old name, after a warning."""
    renamed = {name: RENAMED[name] for name in settings if name in RENAMED}
    if _DIGITS.fullmatch(str(settings.get(OLD_DISTANCE, ""))):
        renamed[OLD_DISTANCE] = DISTANCE
    for old, new in renamed.items():
        if new in settings:
            raise ValueError(f"{old} is the old name of {new}; give {new} only")
        _warn(old, new)
    return renamed


def _leaves(tree: object, prefix: str) -> JsonObject:
    """Return the values of a YAML file by dotted name; those of a sweep by the name of the override."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    prefix = "" if prefix == "hydra.sweeper.params" else prefix
    leaves: JsonObject = {}
    for key, value in _items(cast(dict[object, object], tree)):
        leaves |= _leaves(value, f"{prefix}.{key}" if prefix else key)
    return leaves


def _rename_keys(tree: object, prefix: str, renamed: dict[str, str]) -> object:
    if isinstance(tree, list):
        return [_rename_keys(value, "", renamed) for value in cast(list[object], tree)]
    if isinstance(tree, str):
        return _rename_interpolations(tree, renamed)
    if not isinstance(tree, dict):
        return tree
    is_sweep = prefix == "hydra.sweeper.params"
    prefix = "" if is_sweep else prefix
    current: JsonObject = {}
    for key, value in _items(cast(dict[object, object], tree)):
        name = f"{prefix}.{key}" if prefix else key
        new = renamed.get(name)
        value = _rename_keys(value, name, renamed)
        if new == DISTANCE:
            value = re.sub("['\"]", "", str(value))
        if new is None:
            current[key] = value
        elif new == DISTANCE and not is_sweep and "." not in key:
            current["options"] = {**current.get("options", {}), "distance": int(str(value))}
        else:
            current[new if is_sweep or key == name else new.rpartition(".")[2]] = value
    return current


def _rename_interpolations(text: str, renamed: dict[str, str]) -> str:
    """Replace old names in ${NAME}; that of the distance only where the setting itself is renamed."""
    for old, new in (RENAMED | renamed).items():
        if f"${{{old}}}" in text:
            _warn(old, new)
            text = text.replace(f"${{{old}}}", f"${{{new}}}")
    return text


def _items(tree: dict[object, object]) -> Iterable[tuple[str, object]]:
    return ((str(key), value) for key, value in tree.items())


@cache
def _warn(old: str, new: str) -> None:
    if SWEEP not in os.environ:  # the sweep's first process has warned
        tell(f"vision train: {old} is now {new}; the next version drops the old name")
