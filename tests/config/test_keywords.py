"""Settings as keyword arguments: old names are understood with a warning, and unknown ones are named."""

from dataclasses import fields
from typing import Any

import pytest

from vision.config import RENAMED, AugmentConfig, DataConfig, ModelConfig, RunConfig, TrainingConfig
from vision.data import load_source

KINDS: dict[str, type[Any]] = {
    "training": TrainingConfig,
    "data": DataConfig,
    "data.augment": AugmentConfig,
    "model": ModelConfig,
    "": RunConfig,
}
GIVEN: dict[str, dict[str, Any]] = {
    "data": {"name": "digits", "source": "digits"},
    "model": {"name": "field_vit"},
}
GIVEN[""] = {"data": DataConfig(**GIVEN["data"]), "model": ModelConfig(**GIVEN["model"])}


@pytest.mark.parametrize(("old", "present"), RENAMED.items())
def test_old_names_are_understood(old: str, present: str):
    group, _, old_name = old.rpartition(".")
    name, kind, given = present.rpartition(".")[2], KINDS[group], GIVEN.get(group, {})
    with pytest.warns(DeprecationWarning, match=f"{kind.__name__}: {old_name} is now {name}$"):
        renamed = kind(**given, **{old_name: "value"})
    assert renamed == kind(**given, **{name: "value"})
    with pytest.raises(TypeError, match=f"{old_name} is the old name of {name}; give {name} only"):
        kind(**given, **{old_name: "value", name: "value"})


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_argument_that_does_not_exist_is_named(kind: type[Any]):
    name = fields(kind)[0].name
    with pytest.raises(TypeError, match=rf"^{kind.__name__} has no argument {name}_; did you mean {name}\?$"):
        kind(**{f"{name}_": 1})
    with pytest.raises(TypeError, match=rf"^{kind.__name__} has no argument xyzzy; it has {name}, "):
        kind(xyzzy=1)


def test_the_distance_was_once_the_data_set_of_far_marker():
    with pytest.warns(DeprecationWarning, match=r"data.dataset of far_marker is now data.options.distance"):
        data = DataConfig(name="x", source="far_marker", dataset="6")
    assert (data.dataset, data.options) == (None, {"distance": 6})
    with pytest.raises(ValueError, match=r"data.options.distance must be .*, got 'far'"):
        load_source(DataConfig(name="x", source="far_marker", dataset="far"))
    assert DataConfig(name="", source="torchvision", dataset="6").dataset == "6"
