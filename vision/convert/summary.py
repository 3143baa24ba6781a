"""What a conversion did: one row per attention layer, and what was left unchanged and why.

>>> from vision.convert import as_attention
>>> as_attention(nn.Conv2d(3, 8, 3), 8).conversion.rows[0].tokens
'64 -> 36'
"""

from dataclasses import asdict, dataclass, field
from math import prod
from typing import Protocol

from torch import Tensor, nn

from vision.convert.layers import geometry
from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.geometry import PADDED
from vision.convert.modules import named_modules
from vision.convert.tracing.observe import BATCH, FunctionCall, ModuleCall
from vision.dynamic import Arguments, JsonObject

_ATTENTION = ("scaled_dot_product_attention", "multi_head_attention_forward", "attend")
_MIXES = {
    **dict.fromkeys(("interpolate", "upsample", "grid_sample"), "it resamples the image"),
    **dict.fromkeys(("lp_pool1d", "lp_pool2d", "lp_pool3d"), "a power mean is not a weighted mean"),
    **dict.fromkeys(
        ("fractional_max_pool2d", "fractional_max_pool3d"), "its windows are redrawn at each call"
    ),
    **dict.fromkeys(("max_unpool1d", "max_unpool2d", "max_unpool3d"), "it writes values to given indices"),
    **dict.fromkeys(("fold", "unfold"), "it moves the tokens of windows into channels, or back"),
    **dict.fromkeys(
        (f"max_pool{n}d_with_indices" for n in (1, 2, 3)), "it returns the indices of the maxima"
    ),
    **dict.fromkeys(("convolution", "_convolution"), "torch's internal function, whose form is not known"),
    **dict.fromkeys(("fft_fft2", "fft_rfft2", "fft_fftn", "fft_rfftn", "fft_fft"), "a Fourier transform"),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), "a recurrence"),
    "deform_conv2d": "its field depends on the image",
    "amax": "a maximum over whole axes",
}


@dataclass
class Row:
    """One attention layer.

    Attributes:
        name: of the module.
        kind: what it was, such as "convolution" or "max pool"; "attention" for what was attention before.
        kernel: size of the window, such as 3x3.
        heads: number of heads.
        queries: number of output tokens.
        keys: number of input tokens.
        null_share: share of the pairs of head and query without a key, e.g. beyond a zero-padded border.
        density: share of the pairs of query and key that the field allows.
        order: position in the order of execution.
    """

    name: str
    kind: str
    kernel: str
    heads: int
    queries: int
    keys: int
    null_share: float
    density: float
    order: int

    @property
    def tokens(self) -> str:
        """Input and output tokens: "64", or "256 -> 64" where they differ."""
        return f"{self.queries}" if self.keys == self.queries else f"{self.keys} -> {self.queries}"


@dataclass
class Unconverted:
    """A module that mixes tokens but was left unchanged.

    Attributes:
        name: of the module.
        type: its class.
        reason: why it was not converted.
    """

    name: str
    type: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name or 'the model'} ({self.type}): {self.reason}"


class Converted(Protocol):
    """A model that `as_attention` made."""

    conversion: "ConversionSummary"


@dataclass
class ConversionSummary:
    """What a conversion did.

    Attributes:
        input_shape: (C, *size) of the images.
        settings: the options of the conversion.
        rows: the attention layers, in the order of execution.
        left: what could not be converted.
        idle: convolutions and pools that did not run in evaluation mode, such as auxiliary heads. They stay.
        folded: name of a convolution -> name of the batch norm that was folded into it.
        kept: batch norms that became a scale and shift per channel.
    """

    input_shape: tuple[int, ...]
    settings: Arguments
    rows: list[Row] = field(default_factory=list[Row])
    left: list[Unconverted] = field(default_factory=list[Unconverted])
    idle: list[str] = field(default_factory=list[str])
    folded: dict[str, str] = field(default_factory=dict[str, str])
    kept: list[str] = field(default_factory=list[str])

    def add(self, name: str, module: nn.Module, order: int) -> None:
        """Add a row for each attention layer in a module."""
        for inner, layer in named_modules(module).items():
            if isinstance(layer, AttentionLayer):
                self.rows.append(_row(".".join(filter(None, (name, inner))), layer, order))

    def leave(self, name: str, module: nn.Module, reason: str) -> None:
        """Record that a module was left unchanged."""
        self.left.append(Unconverted(name, type(module).__name__, reason))

    def add_unconverted(self, name: str, module: nn.Module, modules: dict[str, ModuleCall]) -> None:
        """Record a module without a rule: a row if it is attention, a reason if it mixes tokens otherwise."""
        ran = modules[name]
        called = {call.function: call for call in ran.calls_per_run}
        fused = next((called[function] for function in _ATTENTION if function in called), None)
        weights = None if fused is not None else _unfused_weights(name, module, modules)
        if fused is not None or weights is not None:
            self.rows.append(_attention_row(name, module, fused, weights, ran))
        for function in called:
            if function in _MIXES:
                self.leave(name, module, f"{function}: {_MIXES[function]}")

    def unconverted_text(self) -> str:
        """Return name, class and reason of everything that was left, in one line."""
        return "; ".join(map(str, self.left))

    def as_dict(self) -> JsonObject:
        """Return plain numbers and strings, for a file."""
        return asdict(self)

    def __str__(self) -> str:
        line = "{:<40} {:<26} {:>8} {:>6} {:>14} {:>6} {:>9}".format
        lines = [line("layer", "kind", "kernel", "heads", "tokens", "null", "density")]
        for row in self.rows:
            shares = f"{row.null_share:.1%}", f"{row.density:.3%}"
            lines.append(line(row.name, row.kind, row.kernel, row.heads, row.tokens, *shares))
        lines.append(f"{len(self.folded)} batch norms folded, {len(self.kept)} kept as a scale and shift")
        if self.idle:
            lines.append(f"unchanged, since they did not run in evaluation mode: {', '.join(self.idle)}")
        return "\n".join([*lines, *(f"left unchanged: {left}" for left in self.left)])


def _row(name: str, layer: AttentionLayer, order: int) -> Row:
    window, size = layer.window, layer.input_size
    index = geometry.indices(window, size)
    kernel = [axis.shape[1] for axis in window.axes(size)]
    pairs = int(layer.field.neighbours()[1].sum())
    null = float((index == PADDED).double().mean()) if layer.kind.startswith("convolution") else 0.0
    queries, keys = prod(layer.output_size), prod(size)
    text = "x".join(map(str, kernel))
    return Row(name, layer.kind, text, layer.num_heads, queries, keys, null, pairs / (queries * keys), order)


def _unfused_weights(name: str, module: nn.Module, modules: dict[str, ModuleCall]) -> tuple[int, ...] | None:
    """Return the shape of the softmax, a call or a submodule, that lies between two matrix products."""
    calls = modules[name].calls_per_run
    if sum(call.function in ("matmul", "__matmul__") for call in calls) < 2:
        return None
    for call in calls:
        if call.function == "softmax" and call.args and isinstance(call.args[0], Tensor):
            return tuple(call.args[0].shape)
    for child, softmax in module.named_children():
        if isinstance(softmax, nn.Softmax) and (ran := modules.get(f"{name}.{child}".lstrip("."))):
            return (ran.batch, *ran.input_shape)
    return None


def _attention_row(
    name: str, module: nn.Module, call: FunctionCall | None, weights: tuple[int, ...] | None, ran: ModuleCall
) -> Row:
    """Return the row of existing attention, which is full over its tokens unless the module has a field.

    A batch larger than that of the images holds windows, each of which attends to itself.
    """
    batch, keys = ran.batch, ran.input_shape[0]
    tensors = [arg for arg in (call.args if call else ()) if isinstance(arg, Tensor)]
    if weights is not None:
        batch, keys = weights[0], weights[-1]
    elif len(tensors) > 1 and tensors[1].ndim == 4:
        batch, keys = len(tensors[1]), tensors[1].shape[-2]
    heads, count = int(getattr(module, "num_heads", 1)), max(1, batch // BATCH)
    kind, own = "attention" if count == 1 else "attention in windows", getattr(module, "field", None)
    by_token = weights is None or len(ran.input_shape) != 2 or count > 1 or keys == ran.input_shape[0]
    if not by_token and keys * heads == ran.input_shape[1]:
        kind = "attention over channels"
    density = 1 / count if own is None else float(own.mask().double().mean())
    return Row(name, kind, "", heads, keys * count, keys * count, 0.0, density, ran.order)
