"""What Hydra refuses when it composes a config, in plain words.

>>> plain(HydraException("Could not override 'training.lrrr'."))
'training.lrrr is not a setting; did you mean training.lr? `vision train --help` lists all'
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import get_type_hints

from hydra.errors import HydraException

from vision.config import RunConfig

UNKNOWN = re.compile(r"Could not override '(?P<name>[^']+)'")
CHOICE = re.compile(r"Could not find '(?P<group>[^']+)/(?P<name>[^'/]+)'")
OPTIONS = re.compile(r"Available options in '[^']+':(?P<names>.*?)(?:Config search path|$)", re.DOTALL)
VALUE = re.compile(r"(Value '.*?' .*?)\s+full_key: (?P<name>\S+)", re.DOTALL)
FREE = ("model.kwargs.", "data.options.", "training.optimizer_options.", "training.schedule_options.")


def plain(error: HydraException) -> str:
    """Return Hydra's message as one sentence that names the setting and what would be right.

    Messages of other kinds are put on one line.
    """
    message = f"{error} {error.__cause__ or ''}"
    for pattern, explain in ((UNKNOWN, _unknown), (CHOICE, _choice), (VALUE, _value)):
        if found := pattern.search(message):
            return explain(found, message)
    return " ".join(message.split())


def _unknown(found: re.Match[str], message: str) -> str:
    name = found["name"]
    if name.startswith(FREE):
        return f"{name} is not in this config; a plus sign adds it: +{name}=VALUE"
    return f"{name} is not a setting; {_near(name, list(_settings()))}`vision train --help` lists all"


def _choice(found: re.Match[str], message: str) -> str:
    options = OPTIONS.search(message)
    known = options["names"].split() if options else []
    near = f"; {_near(found['name'], known)}".rstrip("; ")
    return f"{found['group']} must be one of {', '.join(known)}; got {found['name']!r}{near}"


def _value(found: re.Match[str], message: str) -> str:
    return f"{found['name']} has the wrong type: {' '.join(found[1].split())}"


def _near(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {', '.join(close)}? " if close else ""


def _settings(kind: type = RunConfig, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all settings."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        inner = hints[field.name]
        if isinstance(inner, type) and is_dataclass(inner):
            yield from _settings(inner, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"
