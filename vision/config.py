"""The schema of a run: what can be set, its type and its default, and the checks that need no data.

>>> RunConfig(data=DataConfig(name="digits", source="digits"), model=ModelConfig(name="field_vit")).seed
0
"""

import importlib
from dataclasses import dataclass, field
from typing import Any

PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Random changes to a training batch, drawn anew for every image; all off by default.

    Attributes:
        crop_padding: pixels of zeros around the image before a random crop of its own size.
        flip: mirror left to right with probability one half.
        mixup: alpha of Mixup's beta distribution (Zhang et al., 2018); 0 is off.
        cutmix: alpha of CutMix's beta distribution (Yun et al., 2019); 0 is off.
        erasing: probability of random erasing (Zhong et al., 2020).
    """

    crop_padding: int = 0
    flip: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0
    erasing: float = 0.0


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """Where the images come from and how they are prepared.

    Attributes:
        name: the label that records and plots carry.
        source: the kind of source: digits, torchvision, image_folder, parquet, huggingface, far_marker
            (drawn, not photographed), or one that `module` registers.
        module: a Python module to import first, for sources of your own.
        dataset: the source's own name for the data: torchvision's class name, Hugging Face's data set id.
        root: folder that holds the files, or where they are downloaded to.
        download: let the source fetch what is missing.
        img_size: side in pixels that every image's central square is resized to; null keeps images of one
            size as they are.
        val_fraction: share of the training subset that is held out for validation.
        test_size: test images that are scored, the same for every run, each class in proportion; null is all.
        subset_seed: seed of the subset and of the validation split.
        train_sizes: the sizes that a sweep over the training-set size takes, comma-separated.
        mean: per-channel mean for normalization, in [0, 1]; null measures it on the training subset.
        std: per-channel standard deviation likewise.
        memory_share: share of the device's free memory that images may fill; what is larger is streamed.
        workers: processes that load streamed images.
        augment: random changes to training batches.
    """

    name: str
    source: str
    module: str | None = None
    dataset: str | None = None
    root: str = "data"
    download: bool = True
    img_size: int | None = None
    val_fraction: float = 0.1
    test_size: int | None = None
    subset_seed: int = 0
    train_sizes: str = "100,1000"
    mean: list[float] | None = None
    std: list[float] | None = None
    memory_share: float = 0.5
    workers: int = 2
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """Which model, by its name in timm's registry, and its arguments.

    Attributes:
        name: any name that timm.create_model takes, ours included; see `vision models`.
        label: the name in folders and plots; null takes `name`.
        module: a Python module to import first, for models of your own.
        start: folder of a finished run whose weights the model starts with; null starts from random ones.
        kwargs: further arguments of the model's constructor. img_size, in_chans and num_classes come
            from the data.
    """

    name: str
    label: str | None = None
    module: str | None = None
    start: str | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class TrainingConfig:
    """How a model is trained: AdamW, cosine schedule with warm-up, one budget.

    Attributes:
        steps: optimizer steps; null where `epochs` is the budget.
        epochs: passes over the training subset; null where `steps` is the budget.
        batch_size: images per step.
        lr: peak learning rate.
        weight_decay: AdamW's decoupled weight decay; norms, biases and positions are spared.
        warmup: share of the steps over which the learning rate rises from 0.
        label_smoothing: mass that the target spreads over all classes.
        clip_grad: largest gradient norm; null does not clip.
        ema: decay of an exponential moving average of the weights, which is then what is evaluated.
        evaluations: how often the validation split is scored on the way, the end included.
        compile: run the model under torch.compile.
        precision: auto, float32 or bfloat16 (autocast); auto is bfloat16 where the device computes in it.
        device: auto, cpu, cuda or mps; auto takes the first of cuda, mps, cpu that there is.
        threads: CPU threads; null leaves torch's own choice.
    """

    steps: int | None = 300
    epochs: float | None = None
    batch_size: int = 64
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    label_smoothing: float = 0.1
    clip_grad: float | None = 1.0
    ema: float | None = None
    evaluations: int = 5
    compile: bool = False
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
        train_size: training images, validation included; a whole number or "all".
        seed: seed of initial weights, batches and augmentation.
        sweep: name of the folder below `out` that gathers runs to be compared.
        out: folder of all results.
    """

    data: DataConfig
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    train_size: Any = "all"
    seed: int = 0
    sweep: str = "runs"
    out: str = "outputs"

    def __post_init__(self) -> None:
        # One spelling a size: 500, "500" and 500.0 are one run in one folder.
        size = self.train_size
        spelled = isinstance(size, str) and size.strip().isdecimal()
        if spelled or (isinstance(size, float) and size.is_integer()):
            self.train_size = int(size)


def import_named(setting: str, module: str | None) -> None:
    """Import the user's own module that `setting` names, for what it registers; None imports nothing.

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
    """Raise a ValueError that names the first setting that is out of range; needs no data."""
    training, data = config.training, config.data
    if (training.steps is None) == (training.epochs is None):
        raise ValueError(
            "give the budget as training.steps or as training.epochs and set the other to null, "
            f"got training.steps={training.steps}, training.epochs={training.epochs}"
        )
    _choice("training.precision", training.precision, PRECISIONS)
    _choice("training.device", training.device, DEVICES)
    for name in ("steps", "batch_size", "evaluations", "threads"):
        _at_least(f"training.{name}", getattr(training, name), 1)
    for name in ("epochs", "lr", "clip_grad"):
        _above_zero(f"training.{name}", getattr(training, name))
    _at_least("training.weight_decay", training.weight_decay, 0)
    _share("training.warmup", training.warmup)
    _share("training.label_smoothing", training.label_smoothing)
    _share("training.ema", training.ema)
    _share("data.val_fraction", data.val_fraction)
    _at_least("data.img_size", data.img_size, 1)
    _at_least("data.test_size", data.test_size, 1)
    _at_least("data.workers", data.workers, 0)
    _above_zero("data.memory_share", data.memory_share)
    if (data.mean is None) != (data.std is None):
        raise ValueError(f"give both data.mean and data.std or neither, got {data.mean} and {data.std}")
    for name, values in (("mean", data.mean), ("std", data.std)):
        if any(not 0 <= value <= 1 for value in values or ()):
            raise ValueError(f"data.{name} is of pixels scaled to [0, 1] and must be so too, got {values}")
    for name, seed in (("seed", config.seed), ("data.subset_seed", data.subset_seed)):
        if not 0 <= seed < 2**32:
            raise ValueError(f"{name} must be from 0 to {2**32 - 1}, got {seed}")
    for name in ("crop_padding", "mixup", "cutmix"):
        _at_least(f"data.augment.{name}", getattr(data.augment, name), 0)
    if not 0 <= data.augment.erasing <= 1:
        raise ValueError(f"data.augment.erasing must be from 0 to 1, got {data.augment.erasing}")


def _choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and not value >= least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _above_zero(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{name} must be above 0, got {value}")


def _share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value < 1:
        raise ValueError(f"{name} must be from 0 up to but not including 1, got {value}")
