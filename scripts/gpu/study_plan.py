"""Which runs the study has, what each costs, and in which order they are worth it.

>>> plan = study_runs(Protocol(), {"vit": {}}, data="digits")
>>> plan[0].train_size, plan[0].seed, plan[0].steps
(50, 0, 2000)
"""

import math
from dataclasses import dataclass, field
from itertools import product

Settings = dict[str, float]


@dataclass(frozen=True)
class Protocol:
    """What the study trains: all models at all sizes with all seeds, each for a converged budget.

    Attributes:
        models: of conf/model.
        params: of each model.
        sizes: training images.
        seeds: of subset and training alike.
        epochs: passes over the training images, where they are more than `steps`.
        steps: least optimizer steps.
        batch_size: images per step.
        grid: values of the settings that are searched for each model.
        search_size: training images of a search run, a part of them for validation.
        full_epochs: of ResNet-18 with all its 11 million parameters on all images; 0 leaves it out.
    """

    models: tuple[str, ...] = ("cnn", "resnet18", "vit", "local", "convnext")
    params: int = 700_000
    sizes: tuple[int, ...] = (50, 100, 200, 500, 1000, 2500, 5000, 12500, 25000, 50000)
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: float = 150
    steps: int = 2000
    batch_size: int = 128
    grid: dict[str, tuple[float, ...]] = field(
        default_factory=lambda: {
            "training.lr": (0.0005, 0.002, 0.008),
            "training.weight_decay": (0.05, 0.5),
        }
    )
    search_size: int = 2000
    full_epochs: int = 30


TINY = Protocol(
    models=("cnn", "vit"),
    params=20_000,
    sizes=(20, 40),
    seeds=(0,),
    epochs=1,
    steps=3,
    batch_size=8,
    grid={"training.lr": (0.002, 0.008)},
    search_size=100,
    full_epochs=0,
)


@dataclass(frozen=True)
class Run:
    """One run: the settings of `vision train`, and what decides its place in the order.

    Attributes:
        model: of conf/model.
        train_size: training images.
        seed: of subset and training.
        steps: optimizer steps.
        settings: Hydra's overrides.
        sweep: below the output folder.
        step_seconds: a guess, until a run of its kind has ended.
    """

    model: str
    train_size: int
    seed: int
    steps: int
    settings: tuple[str, ...]
    sweep: str
    step_seconds: float = 0.008

    @property
    def name(self) -> str:
        """Short name for the log."""
        return f"{self.sweep} {self.model} n={self.train_size} seed={self.seed}"


def search_runs(protocol: Protocol, models: list[str], *, data: str) -> list[Run]:
    """Return the runs that find a recipe for each model: every point of the grid, one seed."""
    points = [dict(zip(protocol.grid, values, strict=True)) for values in product(*protocol.grid.values())]
    runs = []
    for model, point in product(models, points):
        name = "_".join(f"{key.rpartition('.')[2]}-{value:g}" for key, value in point.items())
        sweep = f"gpu-search-{data}/{model}/{name}"
        runs.append(_run(protocol, model, protocol.search_size, 0, point, sweep, "data.val_fraction=0.25"))
    return runs


def study_runs(protocol: Protocol, recipes: dict[str, Settings], *, data: str) -> list[Run]:
    """Return all runs, most valuable first: cheap ones and first seeds before dear ones and further seeds."""
    runs = [
        _run(protocol, model, size, seed, recipes[model], f"gpu-study-{data}")
        for size, seed, model in product(protocol.sizes, protocol.seeds, recipes)
    ]
    if protocol.full_epochs and "resnet18" in recipes:
        size, batch = max(protocol.sizes), 512
        steps = math.ceil(protocol.full_epochs * 0.9 * size / batch)
        extra = ("model.kwargs.params=null", f"training.batch_size={batch}", f"training.steps={steps}")
        run = _run(protocol, "resnet18", size, 0, recipes["resnet18"], f"gpu-full-{data}", *extra)
        runs.append(Run(run.model, size, 0, steps, run.settings, run.sweep, step_seconds=0.04))
    return sorted(runs, key=lambda run: run.steps * (1 + run.seed))


def _run(
    protocol: Protocol, model: str, size: int, seed: int, recipe: Settings, sweep: str, *extra: str
) -> Run:
    # 0.9: the part of a subset that is not held out for validation
    steps = max(protocol.steps, math.ceil(protocol.epochs * 0.9 * size / protocol.batch_size))
    settings = (
        f"model={model}",
        f"++model.kwargs.params={protocol.params}",
        f"train_size={size}",
        f"seed={seed}",
        f"sweep={sweep}",
        f"training.steps={steps}",
        f"training.batch_size={protocol.batch_size}",
        *(f"{name}={value}" for name, value in recipe.items()),
    )
    return Run(model, size, seed, steps, settings + extra, sweep)
