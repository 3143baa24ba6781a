"""The settings of the model."""

from dataclasses import dataclass, field
from typing import Any


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
