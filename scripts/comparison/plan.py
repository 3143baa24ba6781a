"""What the study trains, and the order in which its runs are worth their time.

>>> runs = final_runs(SMALL, {model: {} for model in SMALL.models})
>>> runs[0].name, runs[0].steps, len(runs)
('60k plain_cnn n=100 seed=0', 2000, 266)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

Settings = Mapping[str, str | float]

MODELS = ("plain_cnn", "vit", "vit_conv_stem", "resnet18", "cnn", "local", "convnext")
CNNS = ("plain_cnn", "resnet18", "cnn", "convnext")
MAIN = MODELS[:5]  # they come first: the other two are dear, and answer a further question
RESNET18_PARAMS = 11_173_962
FURTHER = 4.0  # how much less a run of the others is worth


@dataclass(frozen=True)
class Search:
    """How a recipe is searched.

    Attributes:
        sizes: training images; a recipe is judged by its mean over them.
        epochs: passes over the training images of a trial.
        min_steps: least steps of a trial.
        val_fraction: share of the images outside the subset that are scored.
    """

    sizes: tuple[int, ...] = (200, 1000)
    epochs: float = 150
    min_steps: int = 2000
    val_fraction: float = 0.1


@dataclass(frozen=True)
class Block:
    """Models that are compared: one number of parameters, some sizes, some seeds.

    Attributes:
        name: of its sweep and its table.
        models: files of conf/model, the most telling first.
        params: parameters of each model; None leaves a model as it is.
        sizes: training images.
        seeds: number of seeds at each size; each draws its own subset.
        epochs: passes over the training images.
        min_steps: least steps.
        batch_size: images per step.
        recipe: settings of all models; None searches a recipe for each.
        search: how it is searched.
        seconds_per_work: of one core of a CPU, for a step of one image and one parameter: a guess, from one
            measurement of the ViT.
    """

    name: str
    params: int | None
    sizes: tuple[int, ...]
    seeds: Mapping[int, int]
    models: tuple[str, ...] = MODELS
    epochs: float = 150
    min_steps: int = 2000
    batch_size: int = 64
    recipe: Settings | None = None
    search: Search = field(default_factory=Search)
    seconds_per_work: float = 8e-9


@dataclass(frozen=True)
class Run:
    """One run: what `vision train` is given, and what it costs.

    Attributes:
        block: name of its block.
        model: of conf/model.
        train_size: training images.
        seed: of subset, weights and batches.
        steps: optimizer steps.
        seconds: what it takes on one core of a CPU, about.
        sweep: below the study's folder.
        settings: further settings.
    """

    block: str
    model: str
    train_size: int
    seed: int
    steps: int
    seconds: float
    sweep: str
    settings: tuple[str, ...]

    @property
    def name(self) -> str:
        """Short name for the log."""
        return f"{self.sweep} {self.model} n={self.train_size} seed={self.seed}"

    @property
    def overrides(self) -> tuple[str, ...]:
        """What Hydra is given, but for the data, the output folder and the device."""
        own = {"model": self.model, "train_size": self.train_size, "seed": self.seed, "sweep": self.sweep}
        return (*(f"{name}={setting}" for name, setting in own.items()), *self.settings)


SIZES = (100, 200, 500, 1000, 2000, 5000)
SMALL = Block(
    "60k",
    params=60_000,
    sizes=SIZES,
    seeds={size: 9 if size <= 200 else 5 for size in SIZES},
    # A third of the final budget, because two cores have to search for seven models.
    search=Search(epochs=50, min_steps=700),
    seconds_per_work=2e-8,
)
# A column with published results: a CNN 77.4%, a ViT 53.7% and a CCT 68.1%, one seed each.
PUBLISHED = Block(
    "700k-published-recipe",
    params=700_000,
    sizes=(5000,),
    seeds={5000: 3},
    models=("plain_cnn", "vit", "vit_conv_stem"),
    batch_size=256,
    recipe={"training.optimizer": "adamw", "training.lr": 0.001, "training.weight_decay": 0.05},
)
LARGE_SIZES = (*SIZES, 10_000, 20_000, 50_000)
LARGE = Block(
    "700k",
    params=700_000,
    sizes=LARGE_SIZES,
    seeds={size: 9 if size <= 200 else 5 if size <= 5000 else 3 for size in LARGE_SIZES},
    batch_size=128,
    search=Search(sizes=(500, 5000)),
)
# The usual ResNet-18 on all images with a usual recipe: does the training reach what others report?
FULL = Block(
    "resnet18-full",
    params=None,
    sizes=(50_000,),
    seeds={50_000: 1},
    models=("resnet18",),
    epochs=30,
    min_steps=1,
    batch_size=512,
    recipe={
        "training.optimizer": "sgd",
        "training.momentum": 0.9,
        "training.lr": 0.4,
        "training.weight_decay": 0.0005,
    },
)
TINY = Block(
    "tiny",
    params=20_000,
    sizes=(20, 40),
    seeds={20: 2, 40: 1},
    models=("cnn", "vit"),
    epochs=1,
    min_steps=3,
    batch_size=8,
    search=Search(sizes=(20, 40), epochs=1, min_steps=20, val_fraction=0.05),
)
PLANS = {"cpu": (SMALL, PUBLISHED), "gpu": (LARGE, PUBLISHED, FULL), "tiny": (TINY,)}


def final_runs(block: Block, recipes: Mapping[str, Settings]) -> list[Run]:
    """Return the runs of a block for the models with a recipe, most valuable first.

    A run is worth less the longer it takes, and the more seeds its model has at that size already. Runs of
    one size and seed stand together, so that models are compared on the same subsets.
    """
    cells = [
        (size, seed, model)
        for size in block.sizes
        for seed, model in product(range(block.seeds[size]), block.models)
        if model in recipes
    ]
    shared = {"data.val_fraction": 0}  # a final run is trained on all of its subset
    runs = [
        _run(
            block, model, size, seed, block.name, block.epochs, block.min_steps, {**shared, **recipes[model]}
        )
        for size, seed, model in cells
    ]
    return sorted(runs, key=value)


def choose(
    block: Block, models: Sequence[str] | None, sizes: Sequence[int] | None, seeds: int | None
) -> Block:
    """Return a part of a block: some models, some sizes, and at most so many seeds; None leaves all."""
    kept = tuple(size for size in block.sizes if size in (sizes or block.sizes))
    return replace(
        block,
        models=tuple(model for model in block.models if model in (models or block.models)),
        sizes=kept,
        seeds={size: min(block.seeds[size], seeds or block.seeds[size]) for size in kept},
    )


def value(run: Run) -> float:
    """Return the rank of a final run: the smaller, the more it is worth."""
    return run.seconds * (1 + run.seed) * (1.0 if run.model in MAIN else FURTHER)


def search_runs(block: Block, model: str, trial: str, recipe: Settings) -> list[Run]:
    """Return the runs that judge a recipe, one for each size, with validation images from outside."""
    search = block.search
    shared = {
        "data.val_from": "rest",
        "data.val_fraction": search.val_fraction,
        "data.test_size": 100,  # test images have no say here, so that few are scored
        "training.num_evaluations": 1,
        "save_logits": "false",
    }
    sweep = f"{block.name}-search/{model}/{trial}"
    return [
        _run(block, model, size, 0, sweep, search.epochs, search.min_steps, {**shared, **recipe})
        for size in search.sizes
    ]


def _run(
    block: Block,
    model: str,
    size: int,
    seed: int,
    sweep: str,
    epochs: float,
    min_steps: int,
    further: Settings,
) -> Run:
    steps = max(min_steps, math.ceil(epochs * size / block.batch_size))
    settings = {
        "++model.kwargs.params": block.params or "null",
        "training": "converged",
        "training.epochs": epochs,
        "training.min_steps": min_steps,
        "training.batch_size": block.batch_size,
        **further,
    }
    texts = tuple(f"{name}={setting}" for name, setting in settings.items())
    work = float(steps) * block.batch_size * (block.params or RESNET18_PARAMS)
    return Run(block.name, model, size, seed, steps, work * block.seconds_per_work, sweep, texts)
