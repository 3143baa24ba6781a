"""`as_attention`: a copy of any model in which everything convolutional is masked attention.

>>> model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)).eval()
>>> [row.kind for row in as_attention(model, 32).conversion.rows]
['convolution', 'max pool']
"""

import copy
import math
from typing import Literal, cast

import torch
from torch import nn

from vision.argument_types import check_type
from vision.convert import fold_norms
from vision.convert.input_shape import input_shape
from vision.convert.layers import AttentionLayer, attention_layers, set_explicit_attention
from vision.convert.layers.geometry import ConvNd
from vision.convert.modules import named_modules, replace_module
from vision.convert.output_check import check_outputs
from vision.convert.summary import ConversionSummary, Converted
from vision.convert.tracing import (
    CannotConvert,
    Observation,
    Settings,
    has_call_rule,
    has_rule,
    layer_for,
    layer_for_call,
    observe,
    rewrite,
)

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
    """Return a copy of a model with masked multi-head attention for convolutions and pools.

    The outputs are equal. Every convolution (1-D to 3-D, also transposed), patch stem, and average, maximum,
    adaptive or global pool becomes an `AttentionLayer`. It may be a module, or a function called in a
    forward. Batch norm in evaluation mode is folded into the convolution before it if nothing else reads in
    between. Otherwise it is kept as a scale and shift per channel. Attention, activations, other norms,
    squeeze-excite and residual sums stay as they are, and so do modules with hooks. The attribute
    `conversion` of the result is a `ConversionSummary`.

    The construction is that of Cordonnier, Loukas and Jaggi (2020), made exact by masks; see
    docs/equivalence.md.

    Args:
        model: any module that takes images (B, C, *size). Not changed. Call model.eval() before, otherwise
            its batch norms stay.
        input_size: one number for square images, (rows, cols), or (channels, *size), which 1-D and 3-D models
            need. None is the model's own configuration, or 224 if it has none. The result runs on other
            sizes too, but its fields and its summary refer to this one.
        heads: "kernel" is one head per kernel position; "min" is as few position-only heads as the rank of
            the kernel needs, r or r + 1.
        pooling: with "exact", maximum pools are hard attention. With "soft" they are a softmax, each wrong by
            at most ln(window) / beta.
        beta: inverse temperature of soft pools.
        explicit: run as attention with weights from the start. `set_explicit_attention` changes it later.
        strict: raise an error if something cannot be converted.

    Raises:
        ValueError: an argument is out of range, the model does not run on such images, or, with `strict`,
            something cannot be converted.
    """
    _check(model, heads, pooling, beta)
    for name, value in (("explicit", explicit), ("strict", strict)):
        check_type(name, value, bool)
    settings = Settings(minimal=heads == "min", beta=beta if pooling == "soft" else None)
    shape = input_shape(model, input_size)
    converted = _copy(model)
    observed = _observed(converted, shape)
    summary = ConversionSummary(shape, {"heads": heads, "pooling": pooling, "beta": beta})
    _fold_norms(converted, observed, summary)
    converted = _replace(converted, observed, settings, summary)
    for _, layer in attention_layers(converted):
        layer.fields_for(layer.input_size)  # built now and cached, since a tracer cannot build fields
    summary.rows.sort(key=lambda row: row.order)
    if strict and summary.left:
        raise ValueError(
            f"strict=True, but {len(summary.left)} cannot be converted: {summary.unconverted_text()}"
        )
    if pooling == "exact":
        check_outputs(model, converted, observed)
    cast(Converted, converted).conversion = summary
    return set_explicit_attention(converted, explicit)


def _check(model: object, heads: str, pooling: str, beta: object) -> None:
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        raise ValueError(f"model must be an nn.Module, not a TorchScript module, got {type(model).__name__}")
    if any(isinstance(module, AttentionLayer) or hasattr(module, "to_conv") for module in model.modules()):
        raise ValueError(f"this {type(model).__name__} is converted already; pass the original CNN")
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
            f"the model cannot be copied: {type(error).__name__}: {error}; if a hook computes a weight with "
            "gradients, such as torch.nn.utils.weight_norm, run a forward pass under torch.no_grad() first"
        ) from error


def _observed(model: nn.Module, shape: tuple[int, ...]) -> Observation:
    try:
        return observe(model, shape)
    except Exception as error:
        raise ValueError(
            f"the model does not run on images of shape {shape} (C, *size); give input_size. "
            f"{type(error).__name__}: {error}"
        ) from error


def _fold_norms(model: nn.Module, observed: Observation, summary: ConversionSummary) -> None:
    """Fold each batch norm into the convolution that feeds only it; else replace it by an affine map."""
    modules = named_modules(model)
    convolutions = {
        call.output_id: name for name, call in observed.modules.items() if isinstance(modules[name], ConvNd)
    }
    for name, norm in modules.items():
        if not fold_norms.is_norm(norm) or name not in observed.modules:
            continue
        if reason := fold_norms.why_not(norm):
            summary.leave(name, norm, reason)
            continue
        before = convolutions.get(observed.modules[name].input_id)
        conv = modules.get(before or "")
        owned = observed.owns_parameters(name, norm)
        if before and isinstance(conv, ConvNd) and owned and _may_fold(observed, before, conv, name):
            fold_norms.fold(conv, norm)
            summary.folded[before] = name
            activation = fold_norms.after(norm)
            replace_module(model, name, nn.Sequential(*activation) if activation else nn.Identity())
        elif name and owned:
            summary.kept.append(name)
            replace_module(model, name, fold_norms.affine(norm))
        else:
            summary.leave(name, norm, "something else reads its parameters")


def _may_fold(observed: Observation, name: str, conv: nn.Module, norm: str) -> bool:
    return (
        observed.owns_parameters(name, conv)
        and fold_norms.can_fold(conv)
        and observed.is_read_only_by(name, norm)
    )


def _replace(
    model: nn.Module, observed: Observation, settings: Settings, summary: ConversionSummary
) -> nn.Module:
    """Put attention layers in place of every module with a rule. A shared module stays shared."""
    layers: dict[int, nn.Module] = {}
    replaced: list[str] = []
    for name, module in named_modules(model, remove_duplicate=False).items():
        if any(name.startswith(f"{parent}.") for parent in replaced):
            continue
        if id(module) not in layers:
            layer = _layer(name, module, observed, settings, summary)
            if layer is None:
                continue
            layers[id(module)] = layer.train(module.training)
        if not name:
            return layers[id(module)]
        replaced.append(name)
        replace_module(model, name, layers[id(module)])
    return model


def _layer(
    name: str, module: nn.Module, observed: Observation, settings: Settings, summary: ConversionSummary
) -> nn.Module | None:
    """Return the layer that replaces a module, or None if the module stays, perhaps with a new forward."""
    ran = observed.modules.get(name)
    if ran is None:
        if has_rule(module):
            summary.idle.append(name)
        return None
    try:
        layer = layer_for(module, ran.input_shape, ran.function_calls, settings)
        if layer is not None:
            summary.add(name, layer, ran.order)
            return layer
        calls = [call for call in ran.calls_per_run if has_call_rule(call)]
        layers = [(call.function, layer_for_call(call, settings)) for call in calls]
        if layers:
            for added, call in zip(rewrite(module, layers, ran.argument_names), calls, strict=True):
                summary.add(f"{name}.{added}".lstrip("."), module.get_submodule(added), call.order)
    except CannotConvert as error:
        summary.leave(name, module, str(error))
        return None
    summary.add_unconverted(name, module, observed.modules)
    return None
