"""The recipes of a block in a YAML file: for each model, the settings that the search chose.

>>> read_recipes(Path("recipes.yaml"))  # doctest: +SKIP
{'vit': {'training.optimizer': 'adamw', 'training.lr': 0.002, 'training.weight_decay': 0.05}}
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from comparison.plan import Settings


def read_recipes(file: Path) -> dict[str, Settings]:
    """Read the settings of each model; a recipes.json of an earlier study is read too.

    Raises:
        ValueError: the file is missing or of another kind.
    """
    wanted = "must give settings such as training.lr for each model, as the recipes.yaml of a study does"
    try:
        recipes = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{file} {wanted}: {error}") from error
    if not isinstance(recipes, dict) or not all(map(_is_recipe, recipes.values())):
        raise ValueError(f"{file} {wanted}; got {recipes!r}")
    return recipes


def write_recipes(file: Path, recipes: Mapping[str, Settings], *, note: str) -> None:
    """Write the settings of each model below a note on how they were chosen."""
    file.parent.mkdir(parents=True, exist_ok=True)
    comment = "".join(f"# {line}\n" for line in note.splitlines())
    body = yaml.safe_dump({model: dict(recipe) for model, recipe in recipes.items()}, sort_keys=False)
    unfinished = file.with_name(f".{file.name}.part")
    unfinished.write_text(comment + body)
    unfinished.replace(file)


def _is_recipe(recipe: object) -> bool:
    return isinstance(recipe, dict) and all(str(name).startswith("training.") for name in recipe)
