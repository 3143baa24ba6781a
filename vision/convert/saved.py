"""A converted model as files: its tensors, and how the model is built that they belong to.

>>> save_converted(as_attention(model), "outputs/resnet18")  # doctest: +SKIP
>>> converted = load_converted("outputs/resnet18", model)  # doctest: +SKIP
"""

import copy
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from vision.convert.conversion import as_attention, attention_layers, set_explicit
from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.low_rank import MinimalConvolutionAttention
from vision.convert.summary import ConversionSummary, Left, Row
from vision.models.checkpoint import mismatch
from vision.models.saved import WEIGHTS
from vision.models.sources import build_model
from vision.provenance import package_version

FORMAT = 1
CONVERSION = "conversion.json"
PACKAGES = ("torch", "torchvision", "timm", "vit-vs-cnn")


def save_converted(model: nn.Module, folder: str | Path, *, source: Mapping[str, Any] | None = None) -> None:
    """Write a model that `as_attention` made into a folder, which is then whole or not there at all.

    Args:
        model: the converted model.
        folder: a new one, an empty one, or one that holds this same conversion.
        source: {"name": ..., "arguments": {...}}, what `vision.models.build_model` builds the model by; None
            for an architecture without a name, which `load_converted` then has to be given.

    Raises:
        ValueError: the model is not converted, the source cannot be written, or the folder holds something
            else, which is left as it is.
    """
    folder = Path(folder)
    tensors = _tensors(model)
    record = _record(model, tensors, source)
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


def load_converted(folder: str | Path, model: nn.Module | None = None) -> nn.Module:
    """The converted model in a folder, in evaluation mode: the same tensors, layouts and types, bit by bit.

    Args:
        folder: written by `save_converted` or `vision convert --out`.
        model: the model before its conversion, with any weights; left as it is. Needed where the folder does
            not say by which name it is built. What no state_dict holds, as a buffer that is not persistent,
            comes from it.

    Raises:
        FileNotFoundError: the folder is no converted model's.
        ValueError: its format is another, or its weights do not fit the model.
    """
    folder = Path(folder)
    record = _read(folder)
    skeleton = _named(folder, record) if model is None else copy.deepcopy(model)
    skeleton = skeleton.to(getattr(torch, record["dtype"])).eval()
    modules = dict(skeleton.named_modules())
    for left in record["report"]["left"]:  # batch norms that were in training mode were not folded
        if "training mode" in left["reason"] and left["name"] in modules:
            modules[left["name"]].train()
    report = _report(record["report"])
    converted = as_attention(skeleton, report.input_shape, **report.settings).eval()
    _check_layers(folder, converted.conversion, report)  # type: ignore[arg-type]
    _fill(folder, converted, record["strides"])
    converted.conversion = report  # type: ignore[assignment]
    return set_explicit(converted, record["explicit"])


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a state_dict, shared ones once, under their first name."""
    first: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        first.setdefault(id(tensor), (name, tensor))
    return dict(first.values())


def _record(model: nn.Module, tensors: dict[str, Tensor], source: Mapping[str, Any] | None) -> dict[str, Any]:
    report = getattr(model, "conversion", None)
    if not isinstance(report, ConversionSummary):
        raise ValueError(
            f"model must be one that vision.as_attention made, got {type(model).__name__} without a report"
        )
    if any(hasattr(m, "to_conv") and not isinstance(m, AttentionLayer) for m in model.modules()):
        raise ValueError(
            "a softened model is another architecture; save its state_dict, or use the registered name softened_cnn"
        )
    types = Counter(tensor.dtype for tensor in tensors.values() if tensor.is_floating_point())
    dtype = types.most_common(1)[0][0] if types else torch.float32
    # Convolutions on another layout in memory may round in another order.
    strides = {
        name: t.stride() for name, t in tensors.items() if not t.is_contiguous() and 0 not in t.stride()
    }
    record = {
        "format": FORMAT,
        "source": source,
        "dtype": str(dtype).removeprefix("torch."),
        "report": report.as_dict(),
        "strides": strides,
        "explicit": any(layer.explicit for _, layer in attention_layers(model)),
        "versions": {name: package_version(name) for name in PACKAGES},
    }
    try:
        return json.loads(json.dumps(record))
    except TypeError as error:
        raise ValueError(f"source must be plain numbers and strings, got {source!r}: {error}") from error


def _refuse_another(folder: Path, record: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    refusal = f"{folder} is there and holds something else; nothing was changed. Give another folder"
    if not (folder / CONVERSION).is_file() or not (folder / WEIGHTS).is_file():
        raise ValueError(f"{refusal}, for it is no converted model")
    there = _read(folder)
    differ = [key for key in record if key != "versions" and record[key] != there.get(key)]
    if differ:
        raise ValueError(f"{refusal}: its {', '.join(differ)} in {CONVERSION} differ")
    weights = _weights(folder)
    if weights.keys() != tensors.keys() or not all(
        torch.equal(weights[name], tensor.detach().cpu()) for name, tensor in tensors.items()
    ):
        raise ValueError(f"{refusal}: the same conversion with other weights")


def _read(folder: Path) -> dict[str, Any]:
    for file in (CONVERSION, WEIGHTS):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"{folder} is no converted model, it has no {file}; give a folder that "
                "`vision convert --out` or save_converted has written"
            )
    try:
        record = json.loads((folder / CONVERSION).read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{folder / CONVERSION} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{folder / CONVERSION} must hold an object, got {type(record).__name__}")
    if record.get("format") != FORMAT:
        raise ValueError(
            f"{folder / CONVERSION} must be of format {FORMAT}, got {record.get('format')!r}, written by "
            f"version {record.get('versions', {}).get('vit-vs-cnn', 'unknown')} of this package"
        )
    return record


def _named(folder: Path, record: dict[str, Any]) -> nn.Module:
    source = record["source"]
    if not source or not source.get("name"):
        raise ValueError(
            f"{folder} names no model to build; give the architecture: load_converted(folder, model)"
        )
    return build_model(source["name"], **source.get("arguments", {}))


def _report(record: dict[str, Any]) -> ConversionSummary:
    rows, left = [Row(**row) for row in record["rows"]], [Left(**one) for one in record["left"]]
    return ConversionSummary(
        **{**record, "input_shape": tuple(record["input_shape"]), "rows": rows, "left": left}
    )


def _check_layers(folder: Path, built: ConversionSummary, saved: ConversionSummary) -> None:
    ours, theirs = ([(row.name, row.kind, row.kernel) for row in one.rows] for one in (built, saved))
    for one, other in zip([*ours, None], [*theirs, None], strict=False):
        if one != other:
            raise ValueError(
                f"{folder} holds the conversion of another model: where this one has {one or 'no layer'}, "
                f"it has {other or 'none'} (name, kind, kernel)"
            )


def _weights(folder: Path) -> dict[str, Tensor]:
    try:
        return load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} cannot be read: {error}") from error


def _fill(folder: Path, converted: nn.Module, strides: dict[str, list[int]]) -> None:
    """Give each parameter and buffer the file's tensor: its type, its layout and, of few heads, its shape."""
    given, own = _weights(folder), _tensors(converted)
    solved = {
        f"{name}.{part}".lstrip(".")
        for name, module in converted.named_modules()
        if isinstance(module, MinimalConvolutionAttention)
        for part in ("positions", "values")
    }
    # How many heads a layer has is up to its weights.
    wanted = {
        n: (given[n].shape[:1] if n in solved and n in given else t.shape[:1]) + t.shape[1:]
        for n, t in own.items()
    }
    if wrong := mismatch(wanted, {name: tensor.shape for name, tensor in given.items()}):
        raise ValueError(f"the weights in {folder} do not fit {type(converted).__name__}: {wrong}")
    for name, tensor in own.items():
        # A copy: a file is read where it lies, and sums round otherwise on memory that is not aligned.
        value = given[name].clone().to(tensor.device)
        if name in strides:
            value = torch.empty_strided(
                value.shape, strides[name], dtype=value.dtype, device=value.device
            ).copy_(value)
        tensor.data = value
