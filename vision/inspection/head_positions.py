"""Where each head looks by its place alone: learned centres and widths, and a convolution's own.

>>> head_positions(soften(vision.as_attention(model))).query("layer == 'conv1'")  # doctest: +SKIP
"""

from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from vision.convert import AttentionLayer, ConvolutionAttention

COLUMNS = ("layer", "head", "row", "col", "width", "gate")


def head_positions(model: nn.Module) -> pd.DataFrame:
    """Centre and width of each head that has them, in tokens, one row a head.

    A head of quadratic position scores -alpha |delta - centre|^2 has the width 1 / sqrt(2 alpha), the
    standard deviation of its Gaussian. A head of a converted convolution sits on its kernel position, with
    width 0.

    Returns:
        Columns layer, head, row and col (the centre relative to the query), width and gate: of gated
        attention, the share of a head's weight that its place decides; missing elsewhere.
    """
    rows: list[dict[str, Any]] = []
    for name, module in model.named_modules():
        if (found := _places(module)) is None:
            continue
        centres, widths = found
        gates = _gates(module, len(centres))
        for head, ((row, col), width, gate) in enumerate(
            zip(centres.tolist(), widths.tolist(), gates.tolist(), strict=True)
        ):
            place = {"row": row, "col": col, "width": width, "gate": gate}
            rows.append({"layer": name, "head": head, **place})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _places(module: nn.Module) -> tuple[Tensor, Tensor] | None:
    """-> centres (H, 2) and widths (H)."""
    if isinstance(module, AttentionLayer):
        return _of_kernel(module) if type(module) is ConvolutionAttention else None
    centres, alpha = getattr(module, "centres", None), getattr(module, "alpha", None)
    if not (isinstance(centres, Tensor) and isinstance(alpha, Tensor)):
        return None
    sharp = alpha.detach().double().abs().clamp(min=torch.finfo(torch.float64).tiny)
    return centres.detach().double(), (2 * sharp.expand(len(centres))) ** -0.5


def _gates(module: nn.Module, heads: int) -> Tensor:
    """-> (H): the share that the place has, not a number where there is no gate."""
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
