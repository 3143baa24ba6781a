"""The centre and width of each head: learned ones, and those of a convolution's kernel.

>>> import timm
>>> head_positions(timm.create_model("field_quadratic", depth=1)).shape
(4, 6)
"""

import pandas as pd
import torch
from torch import Tensor, nn

from vision.convert import AttentionLayer, ConvolutionAttention
from vision.convert.modules import named_modules

COLUMNS = ["layer", "head", "row", "col", "width", "gate"]


def head_positions(model: nn.Module) -> pd.DataFrame:
    """Return the centre and width of each head that has them, in tokens, one row per head.

    A head with the position scores -alpha |delta - centre|^2 has the width 1 / sqrt(2 alpha), the standard
    deviation of its Gaussian. A head of a converted convolution is at its kernel position, with width 0.

    Returns:
        Columns layer, head, row and col (the centre relative to the query), width and gate. The gate is the
        share of a head's weight that its position determines in gated attention; it is missing elsewhere.
    """
    rows: list[dict[str, object]] = []
    for name, module in named_modules(model).items():
        if (heads := _centres_and_widths(module)) is None:
            continue
        centres, widths = heads
        numbers = torch.cat((centres, widths[:, None], _gates(module, len(centres))[:, None]), dim=1)
        for head, (row, col, width, gate) in enumerate(numbers.numpy(force=True).astype(float)):
            values = {"row": float(row), "col": float(col), "width": float(width), "gate": float(gate)}
            rows.append({"layer": name, "head": head, **values})
    return pd.DataFrame(rows, columns=COLUMNS)


def _centres_and_widths(module: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Return centres (H, 2) and widths (H)."""
    if isinstance(module, AttentionLayer):
        return _of_kernel(module) if type(module) is ConvolutionAttention else None
    centres, alpha = getattr(module, "centres", None), getattr(module, "alpha", None)
    if not (isinstance(centres, Tensor) and isinstance(alpha, Tensor)):
        return None
    sharp = alpha.detach().double().abs().clamp(min=torch.finfo(torch.float64).tiny)
    return centres.detach().double(), (2 * sharp.expand(len(centres))) ** -0.5


def _gates(module: nn.Module, heads: int) -> Tensor:
    """Return (H): the share that the position determines, NaN without a gate."""
    gate = getattr(module, "gate", None)
    if not isinstance(gate, Tensor):
        return torch.full((heads,), torch.nan)
    return gate.detach().double().sigmoid().expand(heads)


def _of_kernel(layer: ConvolutionAttention) -> tuple[Tensor, Tensor] | None:
    window = layer.window
    if len(window.kernel_size) != 2 or window.transposed:
        return None
    pads = window.pads(layer.input_size)
    axes = [
        torch.arange(size) * step - pad[0]
        for size, step, pad in zip(window.kernel_size, window.dilation, pads, strict=True)
    ]
    centres = torch.cartesian_prod(*axes).double()
    return centres, torch.zeros(len(centres))
