"""The bounds of every numeric setting. Beyond them a setting is a slip: nothing could be run or learned.

>>> check_bounds({"training.momentum": 1.5})
Traceback (most recent call last):
ValueError: training.momentum must be 0 or from 1e-06 to below 1, got 1.5
"""

from collections.abc import Mapping
from typing import NamedTuple, cast


class Bounds(NamedTuple):
    """The values that a setting may have.

    Attributes:
        least: the smallest value.
        most: the largest value; None sets none.
        below: a number that all values are below; None sets none.
        zero: whether 0, which turns something off, is allowed too.
    """

    least: float
    most: float | None = None
    below: float | None = None
    zero: bool = False

    def include(self, value: float) -> bool:
        """Return whether a value is within them."""
        low_enough = (self.most is None or value <= self.most) and (self.below is None or value < self.below)
        return (value >= self.least and low_enough) or (self.zero and value == 0)

    def __str__(self) -> str:
        text = f"at least {self.least}" if self.most is None else f"from {self.least} to {self.most}"
        if self.below is not None:
            text = f"from {self.least} to below {self.below}"
        return f"0 or {text}" if self.zero else text


SEED, FRACTION, COUNT = Bounds(0, 2**32 - 1), Bounds(1e-6, below=1, zero=True), Bounds(1, 10**9)
# The loss shows whether a learning rate is too high; float32 could not hold this one.
BOUNDS = {
    "seed": SEED,
    "data.subset_seed": SEED,
    "data.img_size": Bounds(1, 16384),
    "data.test_size": COUNT,
    "data.fit_sizes": COUNT,
    "data.val_fraction": FRACTION,
    "data.mean": Bounds(0, 1),
    "data.std": Bounds(1e-6, 1),
    "data.max_memory_fraction": Bounds(1e-12, 1),
    "data.num_workers": Bounds(0, 256),
    "data.augment.crop_padding": Bounds(0, 16384),
    "data.augment.mixup": Bounds(0.001, 100, zero=True),
    "data.augment.cutmix": Bounds(0.001, 100, zero=True),
    "data.augment.random_erasing": Bounds(1e-6, 1, zero=True),
    "data.augment.policy_options.num_ops": Bounds(1, 16),
    "data.augment.policy_options.magnitude": Bounds(0, 1000),
    "data.augment.policy_options.num_magnitude_bins": Bounds(2, 1000),
    "model.kwargs.depth": Bounds(1, 1000),
    "model.kwargs.drop_rate": FRACTION,
    "model.kwargs.drop_path_rate": FRACTION,
    "model.kwargs.attn_drop_rate": FRACTION,
    "model.kwargs.proj_drop_rate": FRACTION,
    "training.steps": COUNT,
    "training.epochs": Bounds(1e-6, 10**6),
    "training.min_steps": COUNT,
    "training.batch_size": Bounds(1),  # the memory of the device is its upper bound
    "training.accumulation_steps": Bounds(1),  # and the batch that of this
    "training.momentum": FRACTION,
    "training.optimizer_options.eps": Bounds(0, 1),
    "training.schedule_options.decay_rate": Bounds(0, 100),
    "training.lr": Bounds(1e-12, 1e30),
    "training.layer_decay": Bounds(0.001, 1),
    "training.weight_decay": Bounds(1e-12, 1000, zero=True),
    "training.warmup_fraction": FRACTION,
    "training.label_smoothing": Bounds(1e-6, 0.9, zero=True),
    "training.clip_grad": Bounds(1e-9, 1e9),
    "training.ema_decay": Bounds(1e-6, 0.999999, zero=True),
    "training.num_evaluations": Bounds(1, 10**6),
    "training.patience": Bounds(1, 10**6),
    "training.checkpoint_minutes": Bounds(1e-9, 10**6),
    "training.threads": Bounds(1, 1024),
}


def check_bounds(settings: Mapping[str, object]) -> None:
    """Check settings by dotted name; those that are null, and those without bounds, are right.

    Raises:
        ValueError: the message names the first setting out of bounds, its value, and what would be right.
    """
    for name, bounds in BOUNDS.items():
        given = settings.get(name)
        for value in cast(list[object], given) if isinstance(given, list) else [given]:
            if isinstance(value, int | float) and not bounds.include(value):
                raise ValueError(f"{name} must be {bounds}, got {value}")
