"""Every token mixer has a model in timm's registry and a file of settings in conf/model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from mixer_cases import DIM, GRID
from omegaconf import OmegaConf
from small_models import build

from vision.cli.train.schema import conf_folder, store_schema
from vision.mixers import create_mixer, mixer_names
from vision.models import our_models

FILES = sorted((Path(__file__).parents[2] / "conf" / "model").glob("[!_]*.yaml"))
IMAGES = {"img_size": 8, "patch_size": 2, "in_chans": 1}
KINDS = {type(create_mixer(name, DIM, GRID)): name for name in mixer_names()}


def mixers_of(model: Any) -> set[str]:
    """Return the names of the mixers in a model, and check the shape of its output."""
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)
    return {KINDS[type(block.mixer)] for block in model.blocks}


def test_every_mixer_has_a_model_in_timms_registry():
    backbones = [name for name in our_models() if name.startswith("field_")]
    mixers = [mixers_of(build(name, **IMAGES)) for name in backbones]
    assert set.union(*mixers) == set(mixer_names()) and all(len(names) == 1 for names in mixers)


@pytest.mark.slow
def test_every_mixer_has_a_file_of_settings():
    store_schema()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = [compose("train", [f"model={file.stem}", "hydra/sweeper=basic"]).model for file in FILES]
    # The name of a timm model must be given.
    named = [
        model for model in composed if OmegaConf.select(model, "name", throw_on_resolution_failure=False)
    ]
    ours = [model for model in named if model.name.startswith("field_")]
    mixers = [mixers_of(build(model.name, **IMAGES, **model.kwargs)) for model in ours]
    assert set.union(*mixers) == set(mixer_names())
