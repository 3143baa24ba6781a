"""The headline study: search a recipe for each model, then train it with two budgets at all sizes.

Running it again skips what is finished.

python scripts/study.py cifar10_jpeg hydra/launcher=local
python scripts/study.py digits debug=tiny model=vit,cnn
python scripts/study.py cifar10_jpeg --recipes outputs/published/study-cifar10-jpeg/recipes.json
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from vision.cli import main as vision
from vision.cli.old_names import current_overrides
from vision.cli.schema import conf_folder
from vision.results import collect
from vision.statistics import choose_by_validation

BUDGETS = {"steps": "default", "epochs": "epochs"}  # name of the budget -> file in conf/training
SEARCHED = {"training.lr": "0.0005,0.002,0.008", "training.weight_decay": "0.05,0.5"}
# The recipe found at this size, with a fixed number of steps, serves all sizes and both budgets.
SEARCH_RUNS = {"train_size": "1000", "seed": "0,1"}


def main() -> None:
    """Search, train and report, in outputs/study-NAME and, for the search, outputs/study-NAME-search."""
    parser = argparse.ArgumentParser(
        description="Which model wins at which training-set size, with few images?"
    )
    parser.add_argument("data", help="a file of conf/data, such as cifar10_jpeg")
    parser.add_argument(
        "settings", nargs="*", help="settings of every run, such as hydra/launcher=local or model=vit,cnn"
    )
    parser.add_argument("--recipes", type=Path, help="recipes.json of a study; its models are not searched")
    chosen = parser.parse_intermixed_args()
    try:
        settings: list[str] = current_overrides(chosen.settings)
    except ValueError as error:  # a setting under its old and its present name
        sys.exit(f"study.py: {error}")
    given = {name: value for name, _, value in (setting.partition("=") for setting in settings)}
    swept = _conf("experiment", "study")["hydra"]["sweeper"]["params"]
    models = given.pop("model", swept["model"]).split(",")
    out = Path(given.get("output_dir", "outputs/tiny" if given.get("debug") == "tiny" else "outputs"))
    study = f"study-{_conf('data', chosen.data)['name']}"
    given = {"experiment": "study", "data": chosen.data} | given
    recipes = _read(chosen.recipes) if chosen.recipes else {}
    recipes = {
        model: recipes.get(model) or _search(given | {"model": model}, out, f"{study}-search/{model}")
        for model in models
    }
    (out / study).mkdir(parents=True, exist_ok=True)
    (out / study / "recipes.json").write_text(json.dumps(recipes, indent=2) + "\n")
    failed = 0
    for budget, training in BUDGETS.items():
        for model, recipe in recipes.items():
            fixed = {"training": training, "model": model, "sweep": f"{study}/{budget}"}
            failed |= _train(given | recipe | fixed)
    for budget in BUDGETS:
        failed |= vision(["report", str(out / study / budget)])
    failed |= vision(["plot", str(out / study), "--panel", "training.steps,training.epochs"])
    sys.exit(failed)


def _conf(group: str, name: str) -> dict[str, Any]:
    file = conf_folder() / group / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(one.stem for one in file.parent.glob("[!_]*.yaml")))
        sys.exit(f"study.py: {group} must be one of {known}; got {name!r}")
    return yaml.safe_load(file.read_text())


def _read(file: Path) -> dict[str, Any]:
    try:
        recipes = json.loads(file.read_text())
        if not all(set(recipe) == set(SEARCHED) for recipe in recipes.values()):
            raise ValueError("it has other settings")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        wanted = f"for each model {' and '.join(SEARCHED)}, as the recipes.json of a study does"
        sys.exit(f"study.py: --recipes {file} must give {wanted}: {error}")
    return recipes


def _search(given: dict[str, Any], out: Path, folder: str) -> dict[str, Any]:
    """Return the recipe with the best validation accuracy, at one size and a fixed number of steps."""
    trial = "lr-${training.lr}_wd-${training.weight_decay}"
    if _train(given | SEARCH_RUNS | SEARCHED | {"sweep": f"{folder}/{trial}"}):
        sys.exit(1)  # models with different searches cannot be compared
    _, choices = choose_by_validation(collect(out / folder), list(SEARCHED), by=["label"])
    return {name: float(choices[name].iloc[0]) for name in SEARCHED}


def _train(settings: dict[str, Any]) -> int:
    """Run a sweep; return 1 if one of its runs failed. A wrong setting stops the study."""
    # A separate process, because Hydra changes the global state of the one that it runs in.
    given = [f"{name}={value}" for name, value in settings.items()]
    done = subprocess.run([sys.executable, "-m", "vision", "train", "-m", *given])
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)
    return done.returncode


if __name__ == "__main__":
    main()
