"""Sources by name, and the data that they have read in this process.

>>> @register_source("mine")
... def load_mine(config: DataConfig) -> Source: ...
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from vision.config import DataConfig, import_named
from vision.data.images import Source, load_to_device

KEPT = 2  # sources that stay in memory, so that a sweep's runs read theirs once
NOT_READING = {"val_fraction", "subset_seed", "train_sizes", "mean", "std", "workers", "augment"}

LoadT = TypeVar("LoadT", bound=Callable[[DataConfig], Source])

_sources: dict[str, Callable[[DataConfig], Source]] = {}
_loaded: OrderedDict[tuple[Any, ...], Source] = OrderedDict()


def register_source(name: str) -> Callable[[LoadT], LoadT]:
    """Decorate a function, DataConfig -> Source, that data.source=name is to call.

    The function fills Images with a uint8 tensor or with EncodedImages of paths or bytes; resizing, decoding
    and moving to the device come after it. Name its module in data.module.

    Raises:
        ValueError: another function has the name.
    """

    def register(load: LoadT) -> LoadT:
        taken = _sources.get(name, load)
        if (taken.__module__, taken.__qualname__) != (load.__module__, load.__qualname__):
            raise ValueError(f"a source named {name!r} is registered already, by {taken.__module__}")
        _sources[name] = load
        return load

    return register


def load_source(config: DataConfig, *, device: torch.device | str = "cpu") -> Source:
    """Read a data set, all images brought to one shape.

    The pixels are one uint8 tensor on the device where they fill no more than data.memory_share of the free
    memory there (and of the host's, where they are decoded); otherwise they stay encoded and are decoded
    as they are read. What was read is kept, so that the next run with the same images gets the same object.

    Raises:
        ValueError: data.source is not known, data.module cannot be imported, the images are of different
            sizes without data.img_size, or labels do not fit the classes.
        FileNotFoundError: data.root lacks the files.
    """
    place = torch.device(device)
    import_named("data.module", config.module)
    if config.source not in _sources:
        raise ValueError(f"data.source must be one of {', '.join(sorted(_sources))}, got {config.source!r}")
    load = _sources[config.source]
    key = (load, place, Path(config.root).absolute(), *_reading(config))
    if key not in _loaded:
        while len(_loaded) >= KEPT:
            _loaded.popitem(last=False)
        _loaded[key] = load_to_device(
            load(config), img_size=config.img_size, memory_share=config.memory_share, device=place
        )
    _loaded.move_to_end(key)
    return _loaded[key]


def _reading(config: DataConfig) -> tuple[Any, ...]:
    """The settings that decide what is read."""
    return tuple(getattr(config, field.name) for field in fields(config) if field.name not in NOT_READING)
