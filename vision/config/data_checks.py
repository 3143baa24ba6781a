"""The checks of the settings of the images."""

from vision.config.data import AugmentConfig, DataConfig
from vision.config.requirements import (
    require_above_zero,
    require_at_least,
    require_at_most,
    require_choice,
    require_fraction,
)

CHANNELS = ("auto", "1", "3")
ON_ERROR = ("raise", "skip")
ON_CONSTANT = ("error", "warn")
VAL_FROM = ("subset", "rest")
POLICIES = ("randaugment", "trivialaugment", "autoaugment")
MAX_ALPHA = 100  # Mixup's and CutMix's beta distribution is a single point long before


def check_data(data: DataConfig) -> None:
    """Raise a ValueError that names the first setting of the images out of range."""
    require_choice("data.channels", data.channels, CHANNELS)
    require_choice("data.on_error", data.on_error, ON_ERROR)
    require_choice("data.on_constant", data.on_constant, ON_CONSTANT)
    require_choice("data.val_from", data.val_from, VAL_FROM)
    require_fraction("data.val_fraction", data.val_fraction)
    require_at_least("data.img_size", data.img_size, 1)
    require_at_least("data.test_size", data.test_size, 1)
    require_at_least("data.num_workers", data.num_workers, 0)
    require_above_zero("data.max_memory_fraction", data.max_memory_fraction)
    _check_normalization(data)
    _check_augmentation(data.augment)


def _check_normalization(data: DataConfig) -> None:
    if (data.mean is None) != (data.std is None):
        raise ValueError(f"give both data.mean and data.std or neither, got {data.mean} and {data.std}")
    for name, values in (("mean", data.mean), ("std", data.std)):
        if any(not 0 <= value <= 1 for value in values or ()):
            raise ValueError(f"data.{name} must be in [0, 1], as pixels are scaled to it, got {values}")


def _check_augmentation(augment: AugmentConfig) -> None:
    if augment.policy is not None and ":" not in augment.policy:
        require_choice("data.augment.policy", augment.policy, POLICIES)
    require_at_least("data.augment.crop_padding", augment.crop_padding, 0)
    for name, alpha in (("mixup", augment.mixup), ("cutmix", augment.cutmix)):
        require_at_least(f"data.augment.{name}", alpha, 0)
        require_at_most(f"data.augment.{name}", alpha, MAX_ALPHA)
    if not 0 <= augment.random_erasing <= 1:
        raise ValueError(f"data.augment.random_erasing must be from 0 to 1, got {augment.random_erasing}")
