"""Errors of Hydra and OmegaConf as one sentence each, with exit status 2.

>>> from omegaconf.errors import ValidationError
>>> sentence(ValidationError("Value 'x' of type 'str' could not be converted to Float\\nfull_key: data.x"))
'data.x must be a number, got x'
"""

import os
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import TypeVar, get_args, get_origin

import hydra._internal.utils as hydra_internals
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from vision.cli.stderr import tell
from vision.config import setting_types
from vision.text import one_line

Result = TypeVar("Result")
DEBUG = "VISION_DEBUG"  # environment variable: show tracebacks
NAME = re.compile(r"[+~]{0,2}\w+([./@:]\w+)*")
NO_FOLDER = "provider=hydra.searchpath in .*, path=(.*) is not available"  # Hydra's warning
KINDS = {"Integer": "an integer", "Float": "a number"}
DETAILS = re.compile(r"^\s*(full_key|reference_type|object_type)[:=] ?(.*)$", re.MULTILINE)
# OmegaConf's message about a value, and what the value should be.
WRONG_VALUES = (
    (r"Value '(?P<got>.*)' of type '\w+' could not be converted to (?P<kind>Integer|Float)", ""),
    (r"Value '(?P<got>.*)' is not a valid bool", "true or false"),
    (r"Cannot convert '\w+' to string: '(?P<got>.*)'", "a text"),
    (r"field '.*' is not Optional", "other than null"),
    (r"Cannot (?:assign|merge) .*(?:Dict|ListConfig)|Invalid type assigned", "a dictionary of settings"),
    (r"Invalid value assigned: .* is not a ListConfig", "a list, with brackets around its values"),
)
# Hydra's message about an override, and the sentence that is printed instead.
WRONG_WORDS = (
    (
        r"Could not find '(?:.*/)?(.*)'\s+Available options in '(.*)':\s*(\S(?:.|\n)*?)(?:\n\s*\n|\s*\Z)",
        "{1}={0} is not there; choose one of {2}",
    ),
    (r"An item is already at '(.*?)'", "{0} is a setting, which takes no plus: {0}=VALUE"),
    (
        r"override ~(\S+)\s.*does not support deletion",
        "{0} cannot be removed, but it can have another value: {0}=VALUE",
    ),
    (
        r"^Ambiguous value for argument '([^']*)'",
        "{0} has several values: add -m for a sweep over them, or quote the value",
    ),
)


def answer_in_one_sentence() -> None:
    """Have Hydra print its errors as `sentence`; VISION_DEBUG=1 shows their tracebacks."""
    hydra_internals.run_and_report = _run_and_report


def sentence(error: BaseException) -> str:
    """Return an error of Hydra or OmegaConf as one sentence, and the text of any other."""
    if isinstance(error, OverrideParseException):
        return _cannot_be_read(error)
    if found := re.match(NO_FOLDER, str(error)):
        return f"hydra.searchpath must name folders that exist, got {found[1]}"
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return one_line(error) if isinstance(error, YAMLError) else str(error)
    text = f"{error}\n{error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else ''}"
    details = dict(DETAILS.findall(text))
    name, message = details.get("full_key", ""), DETAILS.sub("", text).partition("Config search path:")[0]
    if "is not in struct" in message or re.search(r"Key '.*' not in '", message):
        found = re.search(r"Key '(.*?)' (?:is )?not in", message)
        return no_such_setting(name or (found[1] if found else ""))
    if value := _wrong_value(name, message):
        return value
    for pattern, sentence in WRONG_WORDS:
        if found := re.search(pattern, message):
            return sentence.format(*(", ".join(group.split()) for group in found.groups()))
    return "; ".join(line.strip().rstrip(".;") for line in message.splitlines() if line.strip())


def _run_and_report(call: Callable[[], Result]) -> Result:
    try:
        return call()
    except Exception as error:
        if DEBUG in os.environ or not _is_from_hydra(error):
            raise
        tell(f"vision train: {sentence(error)}")
        raise SystemExit(2) from error


def _is_from_hydra(error: BaseException) -> bool:
    """Return whether an error is of Hydra, its packages or the system, rather than a mistake of ours."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_in = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    packages = ("hydra", "omegaconf", "antlr4", "yaml")
    return (
        isinstance(error, HydraException | OmegaConfBaseException | OSError)
        or raised_in.split(".")[0] in packages
    )


def _wrong_value(name: str, message: str) -> str:
    for pattern, wanted in WRONG_VALUES:
        if found := re.search(pattern, message):
            groups = found.groupdict()
            given = re.search(r"Error merging override (?:[^=\n]*)=(.*)", message)
            got = groups.get("got") or (given[1] if given else "null")
            return f"{name} must be {wanted or KINDS[groups['kind']]}, got {got}"
    return ""


def _cannot_be_read(error: OverrideParseException) -> str:
    name, equals, value = error.override.partition("=")
    why = f"{error.message}".splitlines()[0] if error.message else "it cannot be read"
    if not equals or not NAME.fullmatch(name):
        return f"{error.override} cannot be read as NAME=VALUE, such as training.lr=0.1"
    quoted = value.strip("'\"").replace("'", "\\'")
    return (
        f"{error.override} cannot be read: {why}; a value with spaces or special characters needs two kinds "
        f"of quotes in a shell: \"{name}='{quoted}'\""
    )


def no_such_setting(name: str) -> str:
    """Return that there is no such setting, with the nearest one, or how to add an option to a dictionary."""
    known = dict(setting_types())
    if parent := next((o for o in known if _is_dictionary(known[o]) and name.startswith(f"{o}.")), None):
        return f"{parent} has no {name.removeprefix(f'{parent}.')} yet; a plus adds it: +{name}=VALUE"
    part, _, last = name.rpartition(".")
    of_part = {one.rpartition(".")[2]: one for one in known if one.rpartition(".")[0] == part}
    same = [one for one in known if one.rpartition(".")[2] == last]
    alike = [of_part[one] for one in get_close_matches(last, of_part, 1)]
    near = alike or same or ([] if part in known else get_close_matches(name, known, 1))
    hint = f"; did you mean {near[0]}?" if near else "; `vision train --cfg job` prints all settings"
    return f"there is no setting {name}{hint}"


def _is_dictionary(kind: object) -> bool:
    return get_origin(kind) is dict or dict in get_args(kind)
