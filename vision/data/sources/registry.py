"""A registry of data sources by name, and the data sets read in this process.

>>> @register_source("mine")
... def load_mine(config: DataConfig) -> Source: ...
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import TypeVar, cast

import torch

from vision.config import DataConfig, import_module
from vision.data.images import Source
from vision.data.loading import load_to_device

KEPT = 2  # sources that stay in memory, so that a sweep's runs read theirs once
# Settings of DataConfig that have no influence on which images are read.
NOT_READING = {
    "test_size",
    "fit_sizes",
    "val_from",
    "val_fraction",
    "subset_seed",
    "train_sizes",
    "mean",
    "std",
    "num_workers",
    "augment",
}

_logger = logging.getLogger(__name__)

LoadT = TypeVar("LoadT", bound=Callable[[DataConfig], Source])

_sources: dict[str, Callable[[DataConfig], Source]] = {}
_options: dict[str, frozenset[str]] = {}
_loaded: OrderedDict[tuple[Hashable, ...], Source] = OrderedDict()


def register_source(name: str, *, options: Iterable[str] = ()) -> Callable[[LoadT], LoadT]:
    """Return a decorator that registers a function, DataConfig -> Source, as data.source=NAME.

    The function fills Images with a uint8 tensor, or with EncodedImages of paths or bytes. The package
    decodes and resizes them, and moves them to the device. Name the function's module in data.module.

    Args:
        name: the value of data.source.
        options: names that data.options may have, which the function reads from its config.

    Raises:
        ValueError: another function has the name.
    """

    def register(load: LoadT) -> LoadT:
        other = _sources.get(name, load)
        if (other.__module__, other.__qualname__) != (load.__module__, load.__qualname__):
            raise ValueError(f"a source named {name!r} is already registered, by {other.__module__}")
        _sources[name], _options[name] = load, frozenset(options)
        return load

    return register


def load_source(config: DataConfig, *, device: torch.device | str = "cpu") -> Source:
    """Read a data set, and bring all images to one shape.

    The pixels are one uint8 tensor on the device if they fill no more than data.max_memory_fraction of its
    free memory, and of the host's. Otherwise they stay encoded, and are decoded when they are read. The
    source is kept in memory, so that the next run with the same images gets the same object.

    Raises:
        ValueError: data.source or one of data.options is not known; data.module cannot be imported; the
            images have different sizes and data.img_size is null; or labels do not fit the classes.
        FileNotFoundError: data.root does not have the files.
    """
    device = torch.device(device)
    key = (_loader(config), device, *reading_key(config))
    if key not in _loaded:
        while len(_loaded) >= KEPT:
            _loaded.popitem(last=False)
        source = read_source(config, device=device)
        for line in source.notes.lines():
            _logger.warning("%s: %s", config.name, line)
        _loaded[key] = source
    _loaded.move_to_end(key)
    return _loaded[key]


def read_source(config: DataConfig, *, device: torch.device | str = "cpu") -> Source:
    """Read a data set as `load_source` does, but from the disk in any case, and without keeping it."""
    source = cast("object", _loader(config)(config))
    if not isinstance(source, Source):
        raise ValueError(f"data.source={config.source!r} must return a Source, got {type(source).__name__}")
    return load_to_device(source, config, device=torch.device(device))


def _loader(config: DataConfig) -> Callable[[DataConfig], Source]:
    import_module("data.module", config.module)
    if config.source not in _sources:
        raise ValueError(f"data.source must be one of {', '.join(sorted(_sources))}, got {config.source!r}")
    if unknown := sorted(config.options.keys() - _options[config.source]):
        known = ", ".join(sorted(_options[config.source])) or "none"
        raise ValueError(
            f"data.options of {config.source} are {known}; got {', '.join(unknown)}, which is not one of them"
        )
    return _sources[config.source]


def reading_key(config: DataConfig) -> tuple[Hashable, ...]:
    """Return what decides which images are read: equal for configs that read the same."""
    values = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in NOT_READING}
    known = {"options": repr(sorted(config.options.items())), "root": str(Path(config.root).absolute())}
    return tuple((values | known).values())
