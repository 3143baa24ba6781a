"""The rows of the benchmark, most valuable first: each a generator of figures, run in a process of its own.

A row is a function, (device, tiny) -> figures one after another, so that what was measured before a crash is
kept. `tiny` makes everything small enough for a CPU; its figures mean nothing.

>>> list(ROWS)[0]
'step_vit_graphed_step'
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the table alone needs no torch
    import torch

Row = dict[str, Any]
RowFunction = Callable[["torch.device", bool], Iterator[Row]]


@dataclass(frozen=True)
class Spec:
    """Where a row's function is, and how long it may take.

    Attributes:
        module: in this package; the function has the same name.
        arguments: keyword arguments of the function.
        seconds: time limit of the process, its imports included.
        goal: of issue 18's table, for the reader of the results.
    """

    module: str
    arguments: dict[str, Any]
    seconds: float
    goal: str = ""


def _steps(way: str, seconds: float) -> dict[str, Spec]:
    return {
        f"step_{short}_{way}": Spec("step", {"model": model, "way": way}, seconds, "eager over captured >= 8")
        for short, model in (("vit", "field_vit"), ("cnn", "field_cnn"))
    }


def _attention(side: int, goal: str = "", *, bias: bool = False) -> dict[str, Spec]:
    name = f"attention_{side}{'_bias' * bias}"
    return {name: Spec("attention", {"side": side, "bias": bias}, 100, goal)}


ROWS: dict[str, Spec] = {
    **_steps("graphed_step", 60),
    **_attention(32, "dense over auto >= 3"),
    **_attention(64, "dense over auto >= 10"),
    "loop": Spec("loop", {}, 90, "images/s of vision train over the bare loop >= 0.97"),
    "peak": Spec("peak", {"compiled": False}, 80, "share of the bf16 matrix peak >= 0.3"),
    "streams_vit": Spec("streams", {"model": "field_vit"}, 60, "side by side >= 4"),
    "stacked_vit": Spec("stacked", {"model": "field_vit"}, 60, "over streams or processes >= 1.5"),
    "side_by_side": Spec("side_by_side", {}, 150, "one after another over side by side >= 4"),
    **_steps("graphed_model", 60),
    "convolution": Spec("convolution", {}, 60, "over nn.Conv2d <= 1.05"),
    "conversion": Spec("conversion", {}, 90, "fast over the original <= 1.05"),
    **_steps("compiled", 120),
    "peak_compiled": Spec("peak", {"compiled": True}, 150, "share of the bf16 matrix peak >= 0.3"),
    **_attention(16),
    **_attention(8),
    **_attention(8, bias=True),
    **_attention(16, bias=True),
    **_attention(32, bias=True),
}


def row_function(name: str) -> RowFunction:
    """Return the function of a row, with the arguments of its table entry.

    Raises:
        KeyError: there is no such row.
    """
    spec = ROWS[name]
    return partial(getattr(import_module(f"gpu.rows.{spec.module}"), spec.module), **spec.arguments)
