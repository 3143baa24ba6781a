"""conf/training: every file is valid with every debug setting, and begins with its command."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from vision.cli.train.schema import conf_folder, store_schema, to_run_config
from vision.config import TrainingConfig, check

FILES = sorted((Path(__file__).parents[2] / "conf" / "training").glob("[!_]*.yaml"))


def training(*overrides: str) -> TrainingConfig:
    store_schema()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = to_run_config(compose("train", ["data=digits", "hydra/sweeper=basic", *overrides]))
    check(config)
    return config.training


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("debug", [None, "tiny", "overfit"])
def test_it_is_valid_with_and_without_a_debug_setting(file, debug):
    config = training(f"training={file.stem}", *([f"debug={debug}"] if debug else []))
    assert not debug or (config.steps in (3, 200) and config.min_steps is None)


def test_converged_is_150_epochs_and_2000_steps():
    config = training("training=converged")
    assert (config.steps, config.epochs, config.min_steps) == (None, 150, 2000)
    assert training("training=default") == training(), "the default is what it was"
    assert training().steps == 300 and training().min_steps is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_begins_with_what_it_is_and_the_command(file):
    assert file.read_text().startswith("# ") and "# vision train data=digits model=vit tr" in file.read_text()
