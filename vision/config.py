"""The settings of a run: their types, defaults and meanings, and the checks that need no data.

>>> RunConfig(data=DataConfig(name="digits", source="digits"), model=ModelConfig(name="field_vit")).seed
0
"""

import importlib
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda", "mps")
CUDA_GRAPH = ("auto", "never")
MEMORY_FORMATS = ("auto", "contiguous", "channels_last")
POLICIES = ("randaugment", "trivialaugment", "autoaugment")
SCHEDULES = ("cosine", "constant", "multistep", "step", "poly", "tanh", "wsd", "rsqrt")
COUNTS = ["steps", "min_steps", "batch_size", "accumulation_steps", "num_evaluations", "patience", "threads"]
VAL_FROM = ("subset", "rest")
CHANNELS, ON_ERROR, ON_CONSTANT = ("auto", "1", "3"), ("raise", "skip"), ("error", "warn")
# Bounds beyond which a setting is a slip: the machine would hang, or nothing could be learned.
MAX_THREADS, MAX_SMOOTHING, MAX_ALPHA = 1024, 0.9, 100
# Old names of settings, with the present ones. The old ones are understood for one more version: on the
# command line, in YAML files, and in the configs and records of finished runs.
RENAMED = {
    "training.warmup": "training.warmup_fraction",
    "training.ema": "training.ema_decay",
    "training.evaluations": "training.num_evaluations",
    "data.workers": "data.num_workers",
    "data.memory_share": "data.max_memory_fraction",
    "data.augment.erasing": "data.augment.random_erasing",
    "model.start": "model.init_from",
    "out": "output_dir",
}
# The distance of data=far_marker was given as data.dataset, in digits.
DISTANCE, OLD_DISTANCE = "data.options.distance", "data.dataset"


@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Random changes to a training batch, drawn for every image; all off by default.

    Attributes:
        crop_padding: pixels of zeros around the image before a random crop of the original size.
        flip: mirror left to right with probability 0.5.
        mixup: alpha of Mixup's beta distribution (Zhang et al., 2018); 0 is off.
        cutmix: alpha of CutMix's beta distribution (Yun et al., 2019); 0 is off.
        random_erasing: probability of random erasing (Zhong et al., 2020).
        policy: randaugment (Cubuk et al., 2020), trivialaugment (Müller and Hutter, 2021), autoaugment (Cubuk
            et al., 2019, the policy of CIFAR-10), of torchvision, or null.
        policy_options: arguments of torchvision's class, such as {num_ops: 2, magnitude: 9}.
    """

    crop_padding: int = 0
    flip: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0
    random_erasing: float = 0.0
    policy: str | None = None
    policy_options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """Where the images come from and how they are prepared.

    Attributes:
        name: the name of the data set in records and plots; empty means the name of the folder `root` for
            image_folder and parquet, or else of the data set.
        source: the kind of source: digits, torchvision, image_folder, parquet, huggingface, far_marker
            (synthetic), or one that `module` registers.
        module: a Python module to import first, for sources of your own.
        dataset: which data set of the source: a class of torchvision, or a data set id on the Hugging Face
            Hub.
        options: further options of the source, such as distance for far_marker.
        root: folder that holds the files, or where they are downloaded to.
        download: whether the source downloads what is missing.
        img_size: side in pixels to which the central square of every image is resized; null keeps images of
            one size as they are.
        channels: auto, 1 (grey) or 3 (colour) for all images; auto is 3 if any image is in colour.
        background: the colour behind transparent pixels: a name, or #rrggbb.
        on_error: what to do with an image that cannot be read: raise an error, or skip and count it.
        on_constant: error refuses images whose pixels are all equal, and splits whose images are all equal;
            warn names them.
        val_from: where validation images come from: subset, so that fewer than `train_size` images are
            trained on, or rest, the images outside the subset.
        val_fraction: fraction of the subset or of the rest that is held out for validation.
        test_size: number of test images that are scored, stratified and the same for every run; null is all.
        fit_sizes: a train_size or test_size of one of these values is brought into the range that the data
            allow; for debug=tiny.
        subset_seed: seed of the training subset and of the validation split.
        train_sizes: training-set sizes of a sweep over them, comma-separated.
        mean: mean of each channel for normalization, in [0, 1]; null measures it on the training subset.
        std: standard deviation of each channel, in [0, 1]; null measures it on the training subset.
        max_memory_fraction: fraction of the free memory that images may fill; larger data sets are streamed.
        num_workers: processes that load streamed images.
        augment: random changes to training batches.
    """

    name: str = ""
    source: str
    module: str | None = None
    dataset: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    root: str = "data"
    download: bool = True
    img_size: int | None = None
    channels: str = "auto"
    background: str = "white"
    on_error: str = "raise"
    on_constant: str = "error"
    val_from: str = "subset"
    val_fraction: float = 0.1
    test_size: int | None = None
    fit_sizes: list[int] = field(default_factory=list[int])
    subset_seed: int = 0
    train_sizes: str = "100,1000"
    mean: list[float] | None = None
    std: list[float] | None = None
    max_memory_fraction: float = 0.5
    num_workers: int = 2
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if not self.name:
            folder = Path(self.root).absolute().name
            of_files = self.source in ("image_folder", "parquet")
            self.name = folder if of_files else (self.dataset or self.source).rpartition("/")[2]


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """Which model, by its name in timm's registry, and its arguments.

    Attributes:
        name: any name that timm.create_model accepts, including those of this package; see `vision models`.
        label: the name in folders and plots; null uses `name`.
        module: a Python module to import first, for models of your own.
        init_from: folder of a finished run whose weights the model starts with; null starts from random ones.
        kwargs: further arguments of the model's constructor. img_size, in_chans and num_classes come
            from the data.
    """

    name: str
    label: str | None = None
    module: str | None = None
    init_from: str | None = None
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(kw_only=True, slots=True)
class TrainingConfig:
    """How a model is trained.

    Attributes:
        steps: optimizer steps; null if `epochs` is given.
        epochs: passes over the training images; null if `steps` is given.
        min_steps: least number of optimizer steps of a budget in epochs; null sets none.
        batch_size: images per step.
        accumulation_steps: parts of a batch that go through the model one after another, to save memory.
            Their gradients are averaged. Batch norms see one part at a time.
        optimizer: a name of `timm.optim.list_optimizers()`, such as adamw, sgd or lion.
        momentum: of sgd and other optimizers that have one; null is the optimizer's default (sgd: 0.9).
        optimizer_options: further arguments of the optimizer, such as {nesterov: false}.
        lr: peak learning rate.
        layer_decay: factor by which the learning rate falls from each block to the one before it; null is 1.
        weight_decay: weight decay; norms, biases and position embeddings have none.
        schedule: cosine, constant, multistep, step, poly, tanh, wsd or rsqrt, as in timm.
        schedule_options: arguments of timm's create_scheduler_v2. Milestones and lengths are fractions of all
            steps, such as {decay_milestones: [0.5, 0.75], decay_rate: 0.1}.
        warmup_fraction: fraction of the steps over which the learning rate rises linearly.
        label_smoothing: probability that is spread evenly over all classes in the target.
        clip_grad: largest gradient norm; null does not clip.
        ema_decay: decay of an exponential moving average of the weights, which is then evaluated; null
            evaluates the weights themselves.
        num_evaluations: number of validation passes, including one after the last step.
        patience: stop after this many validation passes in a row without a lower validation loss, and keep
            the weights of the lowest; null trains to the end.
        freeze_backbone: train the classifier alone (a linear probe); batch norms keep their statistics.
        checkpoint_minutes: how often the state of a run is kept, from which it continues if it is cut; null
            never keeps it. It is kept on SIGTERM and SIGUSR1 too.
        compile: run the model under torch.compile.
        cuda_graph: auto or never. With auto, steps on a CUDA device are replayed as one CUDA graph where that
            is possible; the record has the reason where it is not.
        memory_format: auto, contiguous or channels_last; auto is channels_last on a CUDA device.
        precision: auto, float32 or bfloat16 (autocast); auto is bfloat16 where the device supports it.
        device: auto, cpu, cuda or mps; auto is the first of cuda, mps and cpu that is available.
        threads: CPU threads; null leaves torch's default.
    """

    steps: int | None = 300
    epochs: float | None = None
    min_steps: int | None = None
    batch_size: int = 64
    accumulation_steps: int = 1
    optimizer: str = "adamw"
    momentum: float | None = None
    optimizer_options: dict[str, Any] = field(default_factory=dict[str, Any])
    lr: float = 1e-3
    layer_decay: float | None = None
    weight_decay: float = 0.05
    schedule: str = "cosine"
    schedule_options: dict[str, Any] = field(default_factory=dict[str, Any])
    warmup_fraction: float = 0.1
    label_smoothing: float = 0.1
    clip_grad: float | None = 1.0
    ema_decay: float | None = None
    num_evaluations: int = 5
    patience: int | None = None
    freeze_backbone: bool = False
    checkpoint_minutes: float | None = 10.0
    compile: bool = False
    cuda_graph: str = "auto"
    memory_format: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    threads: int | None = None


@dataclass(kw_only=True, slots=True)
class RunConfig:
    """One run: one model, one data set, one training-set size, one seed.

    Attributes:
        data: the images.
        model: the model.
        training: the recipe.
        train_size: images of the training subset; an integer or "all". All are trained on, but for the
            validation images that data.val_from=subset takes from them.
        seed: seed of initial weights, batches and augmentation.
        sweep: name of the folder below `output_dir` that gathers runs to be compared.
        output_dir: folder of all results.
        save_logits: keep the logits of the test images, 2 bytes for each image and class.
        retry_failed: run failed and damaged runs again; otherwise they stay as they are.
    """

    data: DataConfig
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    train_size: Any = "all"
    seed: int = 0
    sweep: str = "runs"
    output_dir: str = "outputs"
    save_logits: bool = True
    retry_failed: bool = False

    def __post_init__(self) -> None:
        # One spelling per size: 500, "500" and 500.0 are one run in one folder.
        size = self.train_size
        is_digits = isinstance(size, str) and size.strip().isdecimal()
        if is_digits or (isinstance(size, float) and size.is_integer()):
            self.train_size = int(size)


def current_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a finished run, by dotted name, under their present names.

    >>> current_names({"training.ema": 0.9, "data.source": "far_marker", "data.dataset": "6"})
    {'training.ema_decay': 0.9, 'data.source': 'far_marker', 'data.dataset': None, 'data.options.distance': 6}
    """
    current = {RENAMED.get(name, name): value for name, value in settings.items()}
    if current.get("data.source") == "far_marker" and current.get(OLD_DISTANCE) is not None:
        current |= {OLD_DISTANCE: None, DISTANCE: int(current[OLD_DISTANCE])}
    return current


def import_named(setting: str, module: str | None) -> None:
    """Import the module that a setting names, for what it registers; None imports nothing.

    Raises:
        ValueError: it cannot be imported; the message names the setting and the cause.
    """
    if module is None:
        return
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"{setting} must be a module that Python can import from here or from PYTHONPATH, "
            f"got {module!r}: {error}"
        ) from error


def check(config: RunConfig) -> None:
    """Raise a ValueError that names the first setting out of range."""
    for name in ("data", "model", "training"):
        _storable(name, asdict(getattr(config, name)))
    inside = os.path.normpath(os.path.join(config.output_dir, config.sweep))
    first = os.path.relpath(inside, config.output_dir).split(os.sep)[0]
    if not config.sweep or first in (os.curdir, os.pardir):
        raise ValueError(
            f"sweep must be the name of a folder below output_dir={config.output_dir}, got {config.sweep!r}"
        )
    training, data = config.training, config.data
    if (training.steps is None) == (training.epochs is None):
        raise ValueError(
            "give the budget as training.steps or as training.epochs and set the other to null, "
            f"got training.steps={training.steps}, training.epochs={training.epochs}"
        )
    if training.min_steps is not None and training.epochs is None:
        raise ValueError(
            f"training.min_steps={training.min_steps} belongs to a budget in epochs; set it to null, "
            "or give training.epochs and set training.steps to null"
        )
    _choice("training.precision", training.precision, PRECISIONS)
    _choice("training.device", training.device, DEVICES)
    _choice("data.channels", data.channels, CHANNELS)
    _choice("data.on_error", data.on_error, ON_ERROR)
    _choice("data.on_constant", data.on_constant, ON_CONSTANT)
    _choice("training.cuda_graph", training.cuda_graph, CUDA_GRAPH)
    _choice("training.memory_format", training.memory_format, MEMORY_FORMATS)
    _choice("training.schedule", training.schedule, SCHEDULES)
    _choice("data.val_from", data.val_from, VAL_FROM)
    if data.augment.policy is not None:
        _choice("data.augment.policy", data.augment.policy, POLICIES)
    for name in (
        "steps",
        "min_steps",
        "batch_size",
        "accumulation_steps",
        "num_evaluations",
        "patience",
        "threads",
    ):
        _at_least(f"training.{name}", getattr(training, name), 1)
    if training.patience is not None and not data.val_fraction:
        raise ValueError(
            f"training.patience={training.patience} needs validation images, got data.val_fraction=0"
        )
    if training.accumulation_steps > training.batch_size:
        raise ValueError(
            f"training.accumulation_steps={training.accumulation_steps} parts need at least as many images "
            f"per batch, got training.batch_size={training.batch_size}"
        )
    for name in ("epochs", "lr", "clip_grad", "layer_decay", "checkpoint_minutes"):
        _above_zero(f"training.{name}", getattr(training, name))
    _at_least("training.weight_decay", training.weight_decay, 0)
    _fraction("training.warmup_fraction", training.warmup_fraction)
    _fraction("training.label_smoothing", training.label_smoothing)
    _fraction("training.ema_decay", training.ema_decay)
    _fraction("training.momentum", training.momentum)
    _fraction("data.val_fraction", data.val_fraction)
    _at_least("data.img_size", data.img_size, 1)
    _at_least("data.test_size", data.test_size, 1)
    _at_least("data.num_workers", data.num_workers, 0)
    _above_zero("data.max_memory_fraction", data.max_memory_fraction)
    if (data.mean is None) != (data.std is None):
        raise ValueError(f"give both data.mean and data.std or neither, got {data.mean} and {data.std}")
    for name, values in (("mean", data.mean), ("std", data.std)):
        if any(not 0 <= value <= 1 for value in values or ()):
            raise ValueError(f"data.{name} must be in [0, 1], as pixels are scaled to it, got {values}")
    for name, seed in (("seed", config.seed), ("data.subset_seed", data.subset_seed)):
        if not 0 <= seed < 2**32:
            raise ValueError(f"{name} must be from 0 to {2**32 - 1}, got {seed}")
    if training.threads is not None and training.threads > MAX_THREADS:
        raise ValueError(f"training.threads must be at most {MAX_THREADS}, got {training.threads}")
    if training.label_smoothing > MAX_SMOOTHING:
        raise ValueError(
            f"training.label_smoothing must be at most {MAX_SMOOTHING}, as more leaves nothing to learn, got "
            f"{training.label_smoothing}"
        )
    for name in ("mixup", "cutmix"):
        if (alpha := getattr(data.augment, name)) > MAX_ALPHA:
            raise ValueError(f"data.augment.{name} must be at most {MAX_ALPHA}, got {alpha}")
    for name in ("crop_padding", "mixup", "cutmix"):
        _at_least(f"data.augment.{name}", getattr(data.augment, name), 0)
    erasing = data.augment.random_erasing
    if not 0 <= erasing <= 1:
        raise ValueError(f"data.augment.random_erasing must be from 0 to 1, got {erasing}")


def _storable(name: str, value: Any) -> None:
    """Refuse what JSON cannot hold, as the settings of a run are stored in its record."""
    if isinstance(value, dict):
        for key, inner in cast(dict[Any, Any], value).items():
            _storable(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(cast(list[Any], value)):
            _storable(f"{name}[{number}]", inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value}")
    elif not (value is None or isinstance(value, str | bool | int | float)):
        kinds = "a number, a text, true, false, null, or lists and dictionaries of these"
        raise ValueError(f"{name} must be {kinds}, got {value!r} ({type(value).__name__})")


def _choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _at_least(name: str, value: float | None, minimum: float) -> None:
    if value is not None and not value >= minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")


def _above_zero(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{name} must be above 0, got {value}")


def _fraction(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value < 1:
        raise ValueError(f"{name} must be from 0 up to but not including 1, got {value}")
