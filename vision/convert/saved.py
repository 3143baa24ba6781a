"""A converted model as files: its tensors, and how to build the model that they belong to.

>>> import tempfile
>>> model = nn.Sequential(nn.Conv2d(3, 8, 3)).eval()
>>> with tempfile.TemporaryDirectory() as folder:
...     save_converted(as_attention(model, 8), folder)
...     converted = load_converted(folder, model)
>>> type(converted[0]).__name__
'ConvolutionAttention'
"""

import copy
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from vision.argument_types import checked
from vision.convert.conversion import as_attention
from vision.convert.layers import (
    MinimalConvolutionAttention,
    set_explicit_attention,
)
from vision.convert.modules import named_modules
from vision.convert.saved_contents import (
    CONVERSION,
    conversion_record,
    read_conversion,
    read_tensors,
    tensors_of,
)
from vision.convert.summary import ConversionSummary, Converted, Row, Unconverted
from vision.dynamic import Arguments, JsonObject
from vision.models.checkpoint import mismatch
from vision.models.saved import WEIGHTS
from vision.models.sources import build_model


@checked
def save_converted(
    model: nn.Module, folder: str | Path, *, source: Mapping[str, object] | None = None
) -> None:
    """Write a converted model to a folder, atomically: an interrupted call leaves no folder.

    Args:
        model: the result of `as_attention`.
        folder: a new one, an empty one, or one that holds this same conversion.
        source: {"name": ..., "arguments": {...}}, from which `vision.models.build_model` builds the
            original. None for a model without a name, which must then be passed to `load_converted`.

    Raises:
        ValueError: the model is not converted, the source cannot be written, or the folder holds something
            else, which is not changed.
    """
    folder = Path(folder)
    tensors = tensors_of(model)
    record = conversion_record(model, tensors, source)
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        _refuse_another(folder, record, tensors)
        return
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        (partial / WEIGHTS).write_bytes(save(whole, metadata={"format": "pt"}))
        (partial / CONVERSION).write_text(json.dumps(record, indent=2) + "\n")
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial)
        raise


@checked
def load_converted(folder: str | Path, model: nn.Module | None = None) -> nn.Module:
    """Load the converted model of a folder, in evaluation mode, with bit-identical tensors.

    Args:
        folder: written by `save_converted` or `vision convert --out`.
        model: the model before its conversion, with any weights. Not changed. Needed if the folder does not
            contain a name to build it from. Non-persistent buffers are taken from it.

    Raises:
        FileNotFoundError: the folder does not hold a converted model.
        ValueError: its format is another one, or its weights do not fit the model.
    """
    folder = Path(folder)
    record = read_conversion(folder)
    original = _named(folder, record) if model is None else copy.deepcopy(model)
    original = original.to(getattr(torch, record["dtype"])).eval()
    summary = _summary(record["report"])
    modules = named_modules(original)
    for left in summary.left:  # batch norms that were in training mode were not folded
        if "training mode" in left.reason and left.name in modules:
            modules[left.name].train()
    model = as_attention(original, summary.input_shape, **summary.settings).eval()
    converted = cast(Converted, model)
    _check_layers(folder, converted.conversion, summary)
    _fill(folder, model, record["strides"])
    converted.conversion = summary
    return set_explicit_attention(model, record["explicit"])


def _refuse_another(folder: Path, record: JsonObject, tensors: dict[str, Tensor]) -> None:
    message = f"{folder} exists and holds something else; nothing was changed. Give another folder"
    if not (folder / CONVERSION).is_file() or not (folder / WEIGHTS).is_file():
        raise ValueError(f"{message}: it is not a converted model")
    existing = read_conversion(folder)
    differ = [key for key in record if key != "versions" and record[key] != existing.get(key)]
    if differ:
        raise ValueError(f"{message}: its {', '.join(differ)} in {CONVERSION} differ")
    weights = read_tensors(folder)
    if weights.keys() != tensors.keys() or not all(
        torch.equal(weights[name], tensor.detach().cpu()) for name, tensor in tensors.items()
    ):
        raise ValueError(f"{message}: the same conversion with other weights")


def _named(folder: Path, record: JsonObject) -> nn.Module:
    source = record["source"]
    if not source or not source.get("name"):
        raise ValueError(
            f"{folder} contains no name of a model; give the architecture: load_converted(folder, model)"
        )
    return build_model(source["name"], **source.get("arguments", {}))


def _summary(record: JsonObject) -> ConversionSummary:
    values: Arguments = {
        **record,
        "input_shape": tuple(record["input_shape"]),
        "rows": [Row(**row) for row in record["rows"]],
        "left": [Unconverted(**left) for left in record["left"]],
    }
    return ConversionSummary(**values)


def _check_layers(folder: Path, built: ConversionSummary, saved: ConversionSummary) -> None:
    ours, theirs = ([(row.name, row.kind, row.kernel) for row in s.rows] for s in (built, saved))
    for our, their in zip([*ours, None], [*theirs, None], strict=False):
        if our != their:
            raise ValueError(
                f"{folder} holds the conversion of another model: where this one has {our or 'no layer'}, "
                f"it has {their or 'none'} (name, kind, kernel)"
            )


def _fill(folder: Path, converted: nn.Module, strides: dict[str, list[int]]) -> None:
    """Load the file's tensors into all parameters and buffers: values, types and memory layouts.

    The number of heads of a `MinimalConvolutionAttention` depends on its weights and is taken from the file.
    """
    saved, own = read_tensors(folder), tensors_of(converted)
    by_head = {
        f"{name}.{part}".lstrip(".")
        for name, module in named_modules(converted).items()
        if isinstance(module, MinimalConvolutionAttention)
        for part in ("positions", "values")
    }
    wanted = {
        name: (saved[name].shape[:1] if name in by_head and name in saved else own_tensor.shape[:1])
        + own_tensor.shape[1:]
        for name, own_tensor in own.items()
    }
    if wrong := mismatch(wanted, {name: tensor.shape for name, tensor in saved.items()}):
        raise ValueError(f"the weights in {folder} do not fit {type(converted).__name__}: {wrong}")
    for name, tensor in own.items():
        # Copied, because the file is memory-mapped and sums on unaligned memory round differently.
        value = saved[name].clone().to(tensor.device)
        if name in strides:
            value = torch.empty_strided(
                value.shape, strides[name], dtype=value.dtype, device=value.device
            ).copy_(value)
        tensor.data = value
