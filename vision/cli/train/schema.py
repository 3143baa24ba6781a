"""The folder of the configs, their schema for Hydra, and the RunConfig of a composed config."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

import vision
from vision.cli.train.hydra_errors import no_such_setting
from vision.cli.train.missing import must_be_given, reason_of
from vision.config import RunConfig, setting_types
from vision.dynamic import JsonObject


def conf_folder() -> Path:
    """Return the folder of the configs: next to the package in a checkout, inside it in a wheel."""
    package = Path(vision.__file__).parent
    checkout = package.parent / "conf"
    return checkout if (checkout / "train.yaml").exists() else package / "conf"


def store_schema() -> None:
    """Let Hydra check every config against RunConfig: unknown keys and wrong types are refused by name."""
    ConfigStore.instance().store(name="schema", node=RunConfig, provider="vision")


def to_run_config(config: DictConfig) -> RunConfig:
    """Return the RunConfig of a composed config without its `hydra` node.

    Raises:
        ValueError: a setting without a default is missing, or one was added that there is not.
    """
    if unknown := next(_unknown(config, dict(setting_types())), None):
        raise ValueError(no_such_setting(unknown))
    try:
        typed = OmegaConf.to_object(config)
    except MissingMandatoryValue as error:
        raise ValueError(must_be_given(str(error.full_key))) from error
    except InterpolationResolutionError as error:
        raise ValueError(reason_of(error)) from error
    assert isinstance(typed, RunConfig)
    return typed


def _unknown(config: DictConfig, known: JsonObject, prefix: str = "") -> Iterator[str]:
    """Yield the settings that a plus added though there are none of their names."""
    for key in config:
        name = f"{prefix}{key}"
        if name not in known:
            yield name
        elif is_dataclass(known[name]) and not OmegaConf.is_missing(config, str(key)):
            yield from _unknown(config[str(key)], known, f"{name}.")
