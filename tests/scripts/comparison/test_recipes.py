"""Recipes in YAML: what is written is read, and wrong files are named."""

import pytest
from comparison.recipes import read_recipes, write_recipes

RECIPES = {"vit": {"training.optimizer": "adamw", "training.lr": 0.002, "training.weight_decay": 5e-05}}


def test_what_is_written_is_read(tmp_path):
    file = tmp_path / "new" / "recipes.yaml"
    write_recipes(file, RECIPES, note="found\nby search")
    assert file.read_text().startswith("# found\n# by search\nvit:\n")
    assert read_recipes(file) == RECIPES


@pytest.mark.parametrize("text", [None, "[1]", "vit: 3", "vit: {model.name: cnn}", "vit: [", "lr: 0.1"])
def test_a_wrong_file_is_named(tmp_path, text):
    file = tmp_path / "r.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=r"r\.yaml must give settings such as training\.lr for each model"):
        read_recipes(file)
