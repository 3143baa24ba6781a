"""A CNN that was converted and set free, as a model of timm's registry: by name, saved, loaded, swept over.

>>> free = timm.create_model("softened_cnn", cnn="field_cnn", alpha=4.0, img_size=32)
>>> start_from(free, "outputs/release-cifar10-jpeg/CNN/n1000/s0")  # doctest: +SKIP
"""

from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from vision.convert.conversion import as_attention
from vision.models import check_name, complete_arguments, find_named, register_arguments
from vision.models.checkpoint import load_checkpoint
from vision.models.named import build_named
from vision.soften.soften import soften

OWN_ARGUMENTS = ("cnn", "alpha", "window", "only")
# timm reads a registered model's configuration from this name, in the module of its entry point.
default_cfgs = generate_default_cfgs({"softened_cnn": {"input_size": (3, 32, 32), "num_classes": 10}})


@register_model
def softened_cnn(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """Any CNN with its kernels as attention that learns where, and at what, to look: `vision.soften`."""
    return build_model_with_cfg(_build, "softened_cnn", pretrained, **kwargs)  # type: ignore[arg-type]


def start_from(model: nn.Module, run: str | Path) -> None:
    """Give a model the weights of a finished run, in place.

    A `softened_cnn` takes those of the CNN that it was released from, as `soften` does: it starts as that
    CNN but for an error that falls with alpha. Any other model takes those of a run of its own kind.

    Raises:
        ValueError: the folder is no finished run's, or its weights do not fit; the message names the keys.
    """
    found = find_named(str(run))
    if found.weights is None:
        raise ValueError(f"a start must be the folder of a finished run, got {run}")
    free = getattr(model, "released", None)
    if free is None:
        load_checkpoint(model, found.weights)
        return
    cnn = build_named(found.name, **found.arguments)
    load_checkpoint(cnn, found.weights)
    try:
        weights = _freed(cnn, **free).state_dict()
    except ValueError as error:
        raise ValueError(f"a CNN set free cannot start from {found.name} in {run}: {error}") from error
    if not _fits(model, weights):
        raise ValueError(f"the model of {run} is not the CNN that this one was released from: {found.name}")
    model.load_state_dict(weights)


def _build(
    *,
    cnn: str = "field_cnn",
    alpha: float = 4.0,
    window: int | None = 1,
    only: str = "*",
    img_size: int | tuple[int, int] = 32,
    in_chans: int = 3,
    num_classes: int = 10,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **arguments: Any,
) -> nn.Module:
    """The CNN of that name with random weights, converted and released.

    Args:
        cnn: a name in timm's registry.
        alpha, window, only: as in `vision.soften`.
        img_size, in_chans, num_classes: what the CNN is for.
        arguments: further ones of the CNN's constructor.
    """
    sizes = {"img_size": img_size, "in_chans": in_chans, "num_classes": num_classes}
    model = timm.create_model(cnn, **complete_arguments(cnn, **sizes, **arguments))
    sides = (img_size, img_size) if isinstance(img_size, int) else img_size
    free = _freed(model, alpha=alpha, window=window, only=only, shape=(in_chans, *sides))
    return free.to(device=device, dtype=dtype)


def _complete(**given: Any) -> dict[str, Any]:
    """The arguments of the model, and those of its CNN."""
    own = {name: given.pop(name) for name in OWN_ARGUMENTS if name in given}
    own = {"cnn": "field_cnn", "img_size": given["img_size"]} | own
    check_name(own["cnn"], "cnn of released_cnn")
    return own | complete_arguments(own["cnn"], **given)


register_arguments("softened_cnn", _complete)


def _freed(cnn: nn.Module, *, shape: tuple[int, ...], **how: Any) -> nn.Module:
    """The CNN for images (C, H, W), converted and released; it keeps word of `how`, for `start_from`."""
    free: Any = soften(as_attention(cnn.eval(), shape), **how)
    free.released = {"shape": shape, **how}
    return free.train()


def _fits(model: nn.Module, weights: dict[str, torch.Tensor]) -> bool:
    own = {name: value.shape for name, value in model.state_dict().items()}
    return own == {name: value.shape for name, value in weights.items()}
