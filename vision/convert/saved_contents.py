"""What the files of a converted model contain: conversion.json and its tensors.

>>> tensors_of(nn.Linear(1, 1))["weight"].shape
torch.Size([1, 1])
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as _load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn

from vision.convert.layers import AttentionLayer, attention_layers
from vision.convert.summary import ConversionSummary
from vision.dynamic import JsonObject
from vision.models.saved import WEIGHTS
from vision.provenance import package_version

FORMAT = 1
CONVERSION = "conversion.json"
PACKAGES = ("torch", "torchvision", "timm", "vit-vs-cnn")


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a state_dict, shared ones once under their first name."""
    first: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        first.setdefault(id(tensor), (name, tensor))
    return dict(first.values())


def conversion_record(
    model: nn.Module, tensors: dict[str, Tensor], source: Mapping[str, object] | None
) -> JsonObject:
    """Return the contents of conversion.json, as JSON can hold them.

    Raises:
        ValueError: the model is not converted, or the source cannot be written.
    """
    summary = getattr(model, "conversion", None)
    if not isinstance(summary, ConversionSummary):
        raise ValueError(f"model must be the result of vision.as_attention, got {type(model).__name__}")
    if any(hasattr(m, "to_conv") and not isinstance(m, AttentionLayer) for m in model.modules()):
        raise ValueError(
            "a softened model is another architecture; save its state_dict, or build it by the name "
            "softened_cnn, which timm saves and loads"
        )
    types = Counter(tensor.dtype for tensor in tensors.values() if tensor.is_floating_point())
    dtype = types.most_common(1)[0][0] if types else torch.float32
    # With another memory layout, convolutions may round in another order.
    strides = {
        name: t.stride() for name, t in tensors.items() if not t.is_contiguous() and 0 not in t.stride()
    }
    record = {
        "format": FORMAT,
        "source": source,
        "dtype": str(dtype).removeprefix("torch."),
        "report": summary.as_dict(),  # the key of format 1
        "strides": strides,
        "explicit": any(layer.explicit for _, layer in attention_layers(model)),
        "versions": {name: package_version(name) for name in PACKAGES},
    }
    try:
        return json.loads(json.dumps(record))
    except TypeError as error:
        raise ValueError(f"source must be plain numbers and strings, got {source!r}: {error}") from error


def read_conversion(folder: Path) -> JsonObject:
    """Read conversion.json in the folder of a converted model.

    Raises:
        FileNotFoundError: one of the two files is missing.
        ValueError: it is not valid, or of another format.
    """
    for file in (CONVERSION, WEIGHTS):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"{folder} is not a converted model: it has no {file}; give a folder written by "
                "`vision convert --out` or save_converted"
            )
    try:
        content: object = json.loads((folder / CONVERSION).read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{folder / CONVERSION} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{folder / CONVERSION} must hold an object, got {type(content).__name__}")
    record = cast(JsonObject, content)
    if record.get("format") != FORMAT:
        raise ValueError(
            f"{folder / CONVERSION} must be of format {FORMAT}, got {record.get('format')!r}, written by "
            f"version {record.get('versions', {}).get('vit-vs-cnn', 'unknown')} of this package"
        )
    return record


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Read the tensors in the folder of a converted model.

    Raises:
        ValueError: the file cannot be read.
    """
    try:
        return _load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} cannot be read: {error}") from error
