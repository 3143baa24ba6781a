"""The checks of the settings of the images."""

from vision.config.data import DataConfig
from vision.config.requirements import require_choice

CHANNELS = ("auto", "1", "3")
ON_ERROR = ("raise", "skip")
ON_CONSTANT = ("error", "warn")
VAL_FROM = ("subset", "rest")
WITHOUT_DATASET = ("digits", "far_marker", "image_folder", "parquet")
POLICIES = ("randaugment", "trivialaugment", "autoaugment")


def check_data(data: DataConfig) -> None:
    """Raise a ValueError that names the first wrong setting of the images; for numbers see `check_bounds`."""
    require_choice("data.channels", data.channels, CHANNELS)
    require_choice("data.on_error", data.on_error, ON_ERROR)
    require_choice("data.on_constant", data.on_constant, ON_CONSTANT)
    require_choice("data.val_from", data.val_from, VAL_FROM)
    if data.augment.policy is not None and ":" not in data.augment.policy:
        require_choice("data.augment.policy", data.augment.policy, POLICIES)
    if data.dataset is not None and data.source in WITHOUT_DATASET:
        raise ValueError(f"data.dataset must be null for data.source={data.source}, got {data.dataset!r}")
    if (data.mean is None) != (data.std is None):
        raise ValueError(f"give both data.mean and data.std or neither, got {data.mean} and {data.std}")
