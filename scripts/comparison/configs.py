"""The config of a run from its settings, composed by Hydra once per model and recipe.

>>> configs = Configs(["data=digits"])
>>> configs.compose(["model=vit", "train_size=100", "seed=3"]).data.subset_seed
3
"""

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from vision.cli.train.schema import conf_folder, store_schema, to_run_config
from vision.config import RunConfig, check

QUICK = ("train_size", "seed")  # these change no other part of a config


class Configs:
    """Compose the configs of runs that share some settings.

    Args:
        common: settings of every run, such as data and device.
    """

    def __init__(self, common: Sequence[str]) -> None:
        self.common = tuple(common)
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        store_schema()

    def compose(self, settings: Sequence[str]) -> RunConfig:
        """Return the config of a run.

        Raises:
            ValueError: a setting does not exist, or its value is wrong.
        """
        quick = {name: value for name, _, value in map(_split, settings) if name in QUICK}
        shared = (*(one for one in settings if _split(one)[0] not in QUICK), *self.common)
        if shared not in self._composed:
            self._composed[shared] = _compose(shared)
        config = self._composed[shared].copy()
        for name, value in quick.items():
            OmegaConf.update(config, name, int(value))
        run = to_run_config(config)
        check(run)
        return run


def _split(setting: str) -> tuple[str, str, str]:
    return setting.partition("=")


def _compose(settings: Sequence[str]) -> DictConfig:
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return compose("train", ["hydra/sweeper=basic", *settings])
    except HydraException as error:
        raise ValueError(f"{error}".strip()) from error
