"""Which attention of a model `as_convolution` can convert, and why the rest stays.

>>> import timm
>>> fitted_attention(timm.create_model("field_vit", img_size=32, depth=1))
['blocks.0.mixer']
"""

from torch import nn

from vision.convert.convolution_summary import left
from vision.convert.head_maps import as_soft, head_maps
from vision.convert.layers import AttentionLayer
from vision.convert.layers.head_convolution import HeadConvolution
from vision.convert.modules import named_modules
from vision.convert.summary import Unconverted
from vision.mixers import ConvAttention
from vision.text import first_few


def fitted_attention(model: nn.Module) -> list[str]:
    """Return the names of the attention modules with linear maps, whose kernels are fitted."""
    return [name for name, module in named_modules(model).items() if head_maps(module) is not None]


def exact_attention(model: nn.Module) -> list[str]:
    """Return the names of the attention modules that are convolutions or pools."""
    exact = (AttentionLayer, ConvAttention)
    return [name for name, module in named_modules(model).items() if isinstance(module, exact)]


def unknown_attention(model: nn.Module) -> list[Unconverted]:
    """Return the attention modules that are neither, with the reason."""
    known = {*fitted_attention(model), *exact_attention(model)}
    return [
        left(name, model, _reason(module))
        for name, module in named_modules(model).items()
        if name not in known and _is_attention(module) and not isinstance(module, HeadConvolution)
    ]


def why_none(model: nn.Module) -> str:
    """Return why a model without fitted and exact attention cannot be converted."""
    kind, there = type(model).__name__, unknown_attention(model)
    if not there:
        return f"as_convolution needs attention that it can convert, {kind} has none"
    names = first_few([one.name or "the model" for one in there], 1)
    return (
        f"as_convolution needs attention that it can convert, and cannot convert that of {kind}: {names}, "
        f"{there[0].reason}"
    )


def _is_attention(module: nn.Module) -> bool:
    """Return whether a module is attention of torch, of timm, or of this suite."""
    timms_or_ours = ("fused_attn", "attention_map")
    return isinstance(module, nn.MultiheadAttention) or any(hasattr(module, name) for name in timms_or_ours)


def _reason(module: nn.Module) -> str:
    if as_soft(module) is not None:
        return "a soft convolution with groups, a stride, or other padding than zeros of half its kernel"
    return "its weights are not known"
