"""The words after `vision train`, checked before Hydra gets them: flags, overrides, choices of groups.

>>> check_words(["training.lr=0.1", "data.augment.flip=2"], many=False)
Traceback (most recent call last):
ValueError: data.augment.flip must be true or false, got 2
"""

from collections.abc import Iterable
from itertools import islice
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException

from vision.cli.train.flags import check_flag
from vision.cli.train.hydra_errors import sentence
from vision.config import flatten

GROUPS = {"data": "digits", "model": "vit", "training": "epochs", "experiment": "demo", "debug": "tiny"}
CAN_BE_LEFT_OUT = ("experiment", "debug")

WITH_VALUE = (
    *("-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name"),
    *("-cd", "--config-dir", "--experimental-rerun"),
)


def flags_last(words: Iterable[str]) -> list[str]:
    """Return words with Hydra's flags behind the settings, as argparse loses settings that follow a flag.

    >>> flags_last(["-m", "seed=0", "--config-dir", "mine", "model=vit"])
    ['seed=0', 'model=vit', '-m', '--config-dir', 'mine']
    """
    settings: list[str] = []
    flags: list[str] = []
    left = iter(words)
    for word in left:
        if not word.startswith("-"):
            settings.append(word)
        else:
            flags += [word, *(islice(left, 1) if word in WITH_VALUE else ())]
    return settings + flags


def check_words(words: list[str], *, many: bool) -> None:
    """Refuse flags that Hydra does not have, overrides that cannot be read, and what Hydra would misread.

    Args:
        words: the arguments of `vision train`.
        many: whether they are a sweep's.

    Raises:
        ValueError: the message is one sentence.
    """
    parser = OverridesParser.create()
    for word in _overrides(words):
        if word.startswith("="):
            raise ValueError(f"{word} cannot be read as NAME=VALUE, such as training.lr=0.1")
        try:
            [override] = parser.parse_overrides([word])
        except HydraException as error:
            raise ValueError(sentence(error)) from error
        for value in _values(override, many=many):
            _check_group(override.key_or_group, value)
            for name, leaf in flatten({override.key_or_group: value}):
                check_flag(name, leaf)


def _overrides(words: list[str]) -> list[str]:
    """Return the words that are not flags."""
    flags = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise ValueError(f"{message}; `vision train --help` shows what there is")

    flags.error = refuse
    given = flags.parse_args(words)
    if given.experimental_rerun is not None:
        raise ValueError("--experimental-rerun is not supported, as it reads a pickle; give the settings")
    return given.overrides


def _values(override: Override, *, many: bool) -> list[object]:
    value = override.value()
    if override.is_delete():
        return []
    if isinstance(value, ChoiceSweep):
        return list(value.list) if many else []
    return [] if override.is_sweep_override() else [value]


def _check_group(group: str, value: object) -> None:
    can_be_left_out = group in CAN_BE_LEFT_OUT and value is None
    if group in GROUPS and not (isinstance(value, str) and value) and not can_be_left_out:
        got = "nothing" if value in ("", None) else value
        raise ValueError(
            f"{group} must be the name of a file in conf/{group}, such as {group}={GROUPS[group]}, got {got}"
        )
