"""Recipes that cannot be made are refused before the first run, and nothing is written."""

from dataclasses import replace
from functools import wraps
from pathlib import Path

import pytest
from timm.models.resnet import ResNet

from vision.checks import check_together
from vision.config import AugmentConfig, RunConfig
from vision.models import complete_arguments

RECIPES = [
    ({"optimizer": "adamv"}, {}, r"training.optimizer='adamv' is not an optimizer of timm"),
    (
        {"optimizer": "sgd", "optimizer_options": {"beta": 3}},
        {},
        r"optimizer=sgd cannot be made .*beta",
    ),
    ({"schedule_options": {"milestones": [1]}}, {}, r"training.schedule=cosine cannot be made .*milestones"),
    ({"batch_size": 15}, {"mixup": 0.2}, r"training.batch_size must be even .*got 15"),
    (
        {},
        {"policy": "trivialaugment", "policy_options": {"num_ops": 3}},
        r"policy=trivialaugment .*num_ops",
    ),
]


@pytest.mark.parametrize(("training", "augment", "message"), RECIPES)
def test_recipes_that_cannot_be_made(small_run: RunConfig, training, augment, message):
    data = replace(small_run.data, augment=AugmentConfig(**augment))
    config = replace(small_run, data=data, training=replace(small_run.training, **training))
    with pytest.raises(ValueError, match=message):
        check_together([small_run, config])
    assert not list(Path(config.output_dir).rglob("*.*"))


def test_a_sweep_over_recipes_is_accepted(small_run: RunConfig):
    recipes = [{"optimizer": "sgd"}, {"optimizer": "lion"}, {"schedule": "wsd"}, {"freeze_backbone": True}]
    runs = [replace(small_run, training=replace(small_run.training, **recipe)) for recipe in recipes]
    assert all(estimate.size > 0 for estimate in check_together(runs))


def test_the_widths_of_a_model_are_sought_once(small_run: RunConfig, monkeypatch):
    """The model itself is built once without memory and once with it, however many runs share it."""
    built: list[object] = []
    build = ResNet.__init__

    @wraps(build)
    def counted(self: ResNet, *args, **kwargs) -> None:
        built.append(kwargs.get("channels"))
        build(self, *args, **kwargs)

    monkeypatch.setattr(ResNet, "__init__", counted)
    model = replace(small_run.model, name="resnet18", kwargs={"params": 60_000})
    check_together([replace(small_run, model=model, seed=seed) for seed in range(3)])
    of_one_check = len(built)
    arguments = complete_arguments("resnet18", img_size=8, in_chans=1, num_classes=10, params=60_000)
    assert len(built) - of_one_check == of_one_check - 2 and built[of_one_check - 1] == arguments["channels"]
