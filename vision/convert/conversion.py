"""`as_attention`: a copy of any model in which everything convolutional is masked attention.

>>> model = as_attention(torchvision.models.resnet18().eval())
>>> print(model.conversion)  # doctest: +SKIP
"""

import copy
import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules import conv, pooling
from torch.nn.modules.conv import _ConvNd

from vision.convert import fold_norms
from vision.convert.layers.base import AttentionLayer
from vision.convert.summary import ConversionSummary, left_row
from vision.convert.tracing.function_rules import convertible, layer_for_call
from vision.convert.tracing.fx_rewrite import rewrite
from vision.convert.tracing.module_rules import CannotConvert, Settings, has_rule, layer_for
from vision.convert.tracing.observe import Probe, probe, run, tensors_in

Heads = Literal["kernel", "min"]
Pooling = Literal["exact", "soft"]


def as_attention(
    model: nn.Module,
    input_size: int | tuple[int, ...] | None = None,
    heads: Heads = "kernel",
    pooling: Pooling = "exact",
    *,
    beta: float = 100.0,
    explicit: bool = False,
    strict: bool = False,
) -> nn.Module:
    """model -> a copy in which convolutions and pools are masked multi-head attention, with equal outputs.

    Every convolution (1-D to 3-D, transposed too), average, maximum, adaptive and global pool and patch stem
    becomes an `AttentionLayer`, whether it is a module or a function called in a forward. Batch norm in
    evaluation mode is folded into the convolution before it where nothing else reads in between, else kept
    as a scale and shift of each channel. Attention, activations, other norms, squeeze-excite and residual
    sums stay as they are. A module with hooks stays too. The result's attribute `conversion` is a
    `ConversionSummary`.

    The construction is that of Cordonnier, Loukas and Jaggi (2020), made exact by masks; docs/equivalence.md.

    Args:
        model: any module that maps images (B, C, *size) to something; left as it is. Call model.eval()
            before, or its batch norms stay.
        input_size: the images: one number for square ones, (rows, cols), or (channels, *size), as 1-D and
            3-D models need it. None takes the model's own configuration if it has one, else 224. The result
            runs on other sizes too; its fields, and the report, speak of this one.
        heads: "kernel", one head for each kernel position; "min", as few position-only heads as the rank of
            the kernel needs, r or r + 1.
        pooling: "exact" maximum pools are hard attention; "soft" ones a softmax, wrong by at most
            ln(window) / beta each.
        beta: inverse temperature of soft pools.
        explicit: run as attention with weights at once; `set_explicit` changes it later.
        strict: refuse a model of which anything is left as it was.

    Raises:
        ValueError: an argument is out of range, the model does not run on such images, or, with `strict`,
            something cannot be converted; the message names it.
    """
    _check(model, heads, pooling, beta)
    settings = Settings(minimal=heads == "min", beta=beta if pooling == "soft" else None)
    shape = input_shape(model, input_size)
    converted = _copy(model)
    seen = _probed(converted, shape)
    report = ConversionSummary(shape, {"heads": heads, "pooling": pooling, "beta": beta})
    _fold_norms(converted, seen, report)
    converted = _replace(converted, seen, settings, report)
    for _, layer in attention_layers(converted):
        layer.attended(layer.input_size)  # fields are built once and kept; a tracer could not build them
    report.rows.sort(key=lambda row: row.order)
    if strict and report.left:
        raise ValueError(f"strict=True, but {len(report.left)} cannot be converted: {report.left_text()}")
    if pooling == "exact":
        _check_outputs(model, converted, seen)
    converted.conversion = report  # type: ignore[assignment]
    return set_explicit(converted, explicit)


def set_explicit(model: nn.Module, explicit: bool) -> nn.Module:
    """model -> the same, its attention layers run with weights (explicit) or as torch's own operations."""
    for _, layer in attention_layers(model):
        layer.explicit = explicit
    return model


def attention_layers(model: nn.Module) -> Iterator[tuple[str, AttentionLayer]]:
    """model -> name and layer of each converted part, in the order of the modules."""
    return ((name, m) for name, m in model.named_modules() if isinstance(m, AttentionLayer))


def input_shape(model: nn.Module, input_size: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """(C, *size) of a model's images, what `input_size` leaves open taken from the model.

    Raises:
        ValueError: the model has no convolution that would tell the channels, and input_size does not.
    """
    config = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
    first = next((m for m in model.modules() if isinstance(m, _ConvNd)), None)
    dims = next((_dimensions(m) for m in model.modules() if _dimensions(m)), 2)
    if input_size is None and config.get("input_size"):
        return tuple(config["input_size"])
    if input_size is None:
        input_size = 224 if dims == 2 else ()
    size = tuple(input_size) if isinstance(input_size, (tuple, list)) else (input_size,) * dims
    whole = all(isinstance(number, int) and number > 0 for number in size)
    if whole and len(size) != dims and len(size) in (2, 3, 4):
        return size  # (channels, *places): whether the model takes them, its forward tells
    channels = config["input_size"][0] if config.get("input_size") else getattr(first, "in_channels", None)
    if len(size) != dims or channels is None or not whole:
        raise ValueError(
            f"input_size must be one number, {dims} places, or (channels, *places) for this model, "
            f"got {input_size!r}"
        )
    return (channels, *size)


def _dimensions(module: nn.Module) -> int:
    """1 to 3 for a convolution or pool of torch's, or of a class made from one; 0 for all else."""
    names = [c.__name__ for c in type(module).__mro__ if c.__module__ in (conv.__name__, pooling.__name__)]
    return next((int(name[-2]) for name in names if name[-2:] in ("1d", "2d", "3d")), 0)


def _check(model: nn.Module, heads: str, pooling: str, beta: float) -> None:
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        raise ValueError(f"model must be an nn.Module that is no script, got {type(model).__name__}")
    if any(isinstance(module, AttentionLayer) or hasattr(module, "to_conv") for module in model.modules()):
        raise ValueError(f"this {type(model).__name__} is converted already; give the CNN that it comes from")
    if heads not in ("kernel", "min"):
        raise ValueError(f"heads must be 'kernel' or 'min', got {heads!r}")
    if pooling not in ("exact", "soft"):
        raise ValueError(f"pooling must be 'exact' or 'soft', got {pooling!r}")
    if not isinstance(beta, (int, float)) or not 0 < beta < math.inf:
        raise ValueError(f"beta must be a finite number above 0, got {beta!r}")


def _copy(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise ValueError(
            f"the model cannot be copied: {type(error).__name__}: {error}; a weight that a hook has computed "
            "with gradients, as of torch.nn.utils.weight_norm, is gone after a forward under torch.no_grad()"
        ) from error


def _check_outputs(model: nn.Module, converted: nn.Module, seen: Probe) -> None:
    """Run the result on what the model was watched on: a last check on what no rule foresaw.

    Raises:
        ValueError: it gives something else, or does not run, though the model itself gives the same twice.
    """
    wanted = tensors_in(seen.output)
    try:
        got = tensors_in(run(converted, seen.images.clone()))
    except Exception as error:
        raise ValueError(
            f"the converted model does not run, as something reads what is no longer there: "
            f"{type(error).__name__}: {error}"
        ) from error
    if _equal(got, wanted) or not _equal(tensors_in(run(model, seen.images.clone())), wanted):
        return
    raise ValueError(
        "the converted model gives another output than the model: its forward does something that a "
        "replaced module cannot follow, as reading or changing a convolution's weights or outputs on the side"
    )


def _equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(_near, one, other))


def _near(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point() or one.is_meta:
        return True
    finite = other.isfinite()
    scale = other[finite].abs().max() if finite.any() else 0
    rounding = 1e3 * torch.finfo(one.dtype).eps ** 0.75
    return not (one - other)[finite].abs().gt(rounding * scale).any()


def _probed(model: nn.Module, shape: tuple[int, ...]) -> Probe:
    try:
        return probe(model, shape)
    except Exception as error:
        raise ValueError(
            f"the model does not run on images of shape {shape} (C, *size); give input_size. "
            f"{type(error).__name__}: {error}"
        ) from error


def _fold_norms(model: nn.Module, seen: Probe, report: ConversionSummary) -> None:
    """Fold each batch norm into the convolution that feeds it and nothing else; else keep an affine map."""
    modules = dict(model.named_modules())
    writers = {s.writes: name for name, s in seen.modules.items() if isinstance(modules[name], _ConvNd)}
    for name, norm in modules.items():
        if not fold_norms.is_norm(norm) or name not in seen.modules:
            continue
        if reason := fold_norms.refusal(norm):
            report.left.append(left_row(name, norm, reason))
            continue
        writer = writers.get(seen.modules[name].reads)
        pair = [(writer or "", modules.get(writer or "")), (name, norm)]
        alone = all(module is not None and seen.owns(one, module) for one, module in pair)
        if writer and alone and fold_norms.takes(modules[writer]) and seen.feeds_only(writer, name):
            fold_norms.fold(modules[writer], norm)  # type: ignore[arg-type]
            report.folded[writer] = name
            rest = fold_norms.after(norm)
            _put(model, name, nn.Sequential(*rest) if rest else nn.Identity())
        elif name and seen.owns(name, norm):
            report.kept.append(name)
            _put(model, name, fold_norms.affine(norm))
        else:
            report.left.append(left_row(name, norm, "something else reads its parameters"))


def _replace(model: nn.Module, seen: Probe, settings: Settings, report: ConversionSummary) -> nn.Module:
    """The model with attention layers in place of all that has a rule; a shared module stays shared."""
    made: dict[int, nn.Module] = {}
    replaced: list[str] = []
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if any(name.startswith(f"{parent}.") for parent in replaced):
            continue
        if id(module) not in made:
            layer = _layer(name, module, seen, settings, report)
            if layer is None:
                continue
            made[id(module)] = layer.train(module.training)
        if not name:
            return made[id(module)]
        replaced.append(name)
        _put(model, name, made[id(module)])
    return model


def _layer(
    name: str, module: nn.Module, seen: Probe, settings: Settings, report: ConversionSummary
) -> nn.Module | None:
    """The layer in place of a module; None where it stays, perhaps with other calls in its forward."""
    watched = seen.modules.get(name)
    if watched is None:
        if has_rule(module):
            report.idle.append(name)
        return None
    try:
        layer = layer_for(module, watched.shape, watched.calls, settings)
        if layer is not None:
            report.add(name, layer, watched.order)
            return layer
        calls = [call for call in watched.own_calls if convertible(call)]
        layers = [(call.function, layer_for_call(call, settings)) for call in calls]
        if layers:
            for added, call in zip(rewrite(module, layers, watched.given), calls, strict=True):
                report.add(f"{name}.{added}".lstrip("."), module.get_submodule(added), call.order)
    except CannotConvert as error:
        report.left.append(left_row(name, module, str(error)))
        return None
    report.look_at(name, module, seen.modules)
    return None


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
