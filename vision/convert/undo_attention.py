"""Convolutions and pools in the place of the attention that is exactly them.

>>> from vision.convert import as_attention
>>> model = as_attention(nn.Sequential(nn.Conv2d(3, 4, 3)), 8)
>>> undo_as_attention(model, ConvolutionSummary(3, 0))
>>> type(model[0]).__name__
'Conv2d'
"""

from typing import cast

from torch import nn

from vision.convert.convolution_summary import ConvolutionRow, ConvolutionSummary, left
from vision.convert.layers import AttentionLayer
from vision.convert.modules import named_modules, replace_module
from vision.convert.summary import Converted
from vision.mixers import ConvAttention, Convolution


def undo_as_attention(model: nn.Module, summary: ConvolutionSummary) -> None:
    """Replace the layers of `as_attention` and the mixer conv_attention by what they are."""
    if hasattr(model, "conversion"):
        del cast(Converted, model).conversion
    plain: dict[nn.Module, nn.Module | None] = {}  # a shared layer stays shared
    for name, module in named_modules(model, remove_duplicate=False).items():
        if module not in plain:
            plain[module] = _undone(model, name, module, summary)
        if (layer := plain[module]) is not None:
            replace_module(model, name, layer)


def _undone(model: nn.Module, name: str, module: nn.Module, summary: ConvolutionSummary) -> nn.Module | None:
    """Return what a layer is, with a row in the summary, or None if it stays."""
    try:
        plain = _plain(module)
    except ValueError as error:
        summary.left.append(left(name, model, str(error)))
        return None
    if plain is None:
        return None
    if not name:
        raise ValueError(f"the model is a single {type(module).__name__}; call its to_conv()")
    kernel = "x".join(map(str, getattr(module, "kernel_size", ())))
    heads = module.num_heads if isinstance(module, AttentionLayer) else len(cast(ConvAttention, module).heads)
    summary.rows.append(ConvolutionRow(name, "exact", kernel, heads, 0.0))
    return plain.train(module.training)


def _plain(module: nn.Module) -> nn.Module | None:
    if isinstance(module, AttentionLayer):
        return module.to_conv()
    if not isinstance(module, ConvAttention):
        return None
    rows, cols = module.weight.shape[2:]
    same = Convolution(
        module.weight.shape[1] * module.groups,
        module.grid,
        kernel_size=(rows, cols),
        dilation=module.dilation,
        groups=module.groups,
        bias=module.bias is not None,
        device=module.weight.device,
        dtype=module.weight.dtype,
    )
    if same.weight.shape != module.weight.shape or module.stride not in (1, (1, 1)):
        raise ValueError("its stride or width changes the tokens")
    same.load_state_dict(module.state_dict())
    return same
