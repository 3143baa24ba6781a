"""A last check of a conversion: the result gives the output of the model on the observed images.

>>> from vision.convert.tracing import observe
>>> model = nn.Conv2d(3, 8, 3)
>>> check_outputs(model, model, observe(model, (3, 8, 8)))  # raises nothing
"""

import torch
from torch import Tensor, nn

from vision.convert.tracing.observe import Observation, run, tensors_in


def check_outputs(model: nn.Module, converted: nn.Module, observed: Observation) -> None:
    """Run a converted model on the images that the model was observed on, for what no rule foresaw.

    Raises:
        ValueError: it does not run or its output differs, although the model itself repeats its output.
    """
    wanted = tensors_in(observed.output)
    try:
        got = tensors_in(run(converted, observed.images.clone()))
    except Exception as error:
        raise ValueError(
            "the converted model does not run, because something reads what was replaced: "
            f"{type(error).__name__}: {error}"
        ) from error
    if _equal(got, wanted) or not _equal(tensors_in(run(model, observed.images.clone())), wanted):
        return
    raise ValueError(
        "the converted model gives a different output than the model: its forward does something that a "
        "replaced module cannot follow, such as reading or changing a convolution's weights or outputs"
    )


def _equal(got: list[Tensor], wanted: list[Tensor]) -> bool:
    return len(got) == len(wanted) and all(map(_close, got, wanted))


def _close(got: Tensor, wanted: Tensor) -> bool:
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return False
    if not got.is_floating_point() or got.is_meta:
        return True
    finite = wanted.isfinite()
    scale = wanted[finite].abs().max() if finite.any() else 0
    rounding = 1e3 * torch.finfo(got.dtype).eps ** 0.75
    return not (got - wanted)[finite].abs().gt(rounding * scale).any()
