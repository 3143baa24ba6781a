"""What `as_convolution` did with each attention layer of a model.

>>> ConvolutionSummary(kernel_size=3, images=8).as_dict()["rows"]
[]
"""

from dataclasses import asdict, dataclass, field
from typing import Protocol

from torch import nn

from vision.convert.kernel_size import KernelSize
from vision.convert.summary import Unconverted
from vision.dynamic import JsonObject


@dataclass
class ConvolutionRow:
    """One attention layer that became a convolution.

    Attributes:
        name: of the module.
        kind: "fitted" for position-only heads, "exact" for what was a convolution as attention.
        kernel: its size, such as 3x3.
        heads: number of heads, or of kernel positions.
        error: squared error on the calibration images, as a share of the variance of the original's output.
            The layer gets its input in the converted model.
    """

    name: str
    kind: str
    kernel: str
    heads: int
    error: float


class ConvolutionModel(Protocol):
    """A model that `as_convolution` made."""

    conversion: "ConvolutionSummary"


@dataclass
class ConvolutionSummary:
    """What `as_convolution` did.

    Attributes:
        kernel_size: as given.
        images: number of calibration images.
        distill_steps: as given.
        rows: the attention layers that were replaced.
        left: attention that stays, with the reason.
        logit_errors: mean squared difference of the logits on the images, before and after the distillation;
            None without one. The errors of the rows are those before it.
    """

    kernel_size: KernelSize
    images: int
    distill_steps: int = 0
    rows: list[ConvolutionRow] = field(default_factory=list[ConvolutionRow])
    left: list[Unconverted] = field(default_factory=list[Unconverted])
    logit_errors: tuple[float, float] | None = None

    def as_dict(self) -> JsonObject:
        """Return plain numbers, strings, lists and dicts."""
        return asdict(self)


def left(name: str, model: nn.Module, reason: str) -> Unconverted:
    """Return the entry of a module that stays."""
    return Unconverted(name, type(model.get_submodule(name)).__name__, reason)
