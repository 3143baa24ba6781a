"""Between Hydra's configs and ours: where conf/ lies, its schema, and the typed config of a composed one."""

from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

import vision
from vision.config import RunConfig


def conf_folder() -> Path:
    """Folder of the configs: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(vision.__file__).parent
    checkout = package.parent / "conf"
    return checkout if (checkout / "train.yaml").exists() else package / "conf"


def store_schema() -> None:
    """Let Hydra check every config against RunConfig: unknown keys and wrong types are refused by name."""
    ConfigStore.instance().store(name="schema", node=RunConfig, provider="vision")


def to_run_config(config: DictConfig) -> RunConfig:
    """The typed config of a composed one that has no `hydra` node.

    Raises:
        ValueError: a setting without a default is not given.
    """
    try:
        typed = OmegaConf.to_object(config)
    except MissingMandatoryValue as error:
        raise ValueError(f"{error.full_key} must be given, as {error.full_key}=VALUE") from error
    assert isinstance(typed, RunConfig)
    return typed
