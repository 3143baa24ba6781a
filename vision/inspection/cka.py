"""The similarity of the layers of two models: linear centred kernel alignment, in minibatches.

>>> import timm, torch
>>> model = timm.create_model("field_vit", img_size=8, depth=2)
>>> cka(model, model, [torch.randn(8, 3, 8, 8)]).shape
(2, 2)
"""

from collections.abc import Callable, Iterable, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from vision.convert.modules import named_modules
from vision.models.modes import evaluating

LEAST_BATCH = 4  # the unbiased estimate divides by B - 3


def cka(
    one: nn.Module,
    other: nn.Module,
    batches: Iterable[Tensor],
    *,
    layers: Sequence[str] | None = None,
    other_layers: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the linear CKA between the layers of two models on the same images; rows are `one`'s layers.

    Sums over minibatches (Nguyen, Raghu and Kornblith, 2021) of the unbiased estimate of the Hilbert-Schmidt
    independence criterion (Song et al., 2012). It is 1 for layers that are equal up to rotation and scale,
    and near 0, also slightly below, for unrelated layers.

    Args:
        one: a model; evaluated without gradients.
        other: another, or the same one.
        batches: images (B, C, H, W) of at least 4 images each.
        layers: names of modules of `one`; None means its blocks, see `block_names`.
        other_layers: the same for `other`.

    Raises:
        ValueError: a batch is too small, there is none, or a module does not return a tensor.
    """
    names = list(layers or block_names(one)), list(other_layers or block_names(other))
    cross = torch.zeros(len(names[0]), len(names[1]), dtype=torch.float64)
    own = [torch.zeros(len(each), dtype=torch.float64) for each in names]
    for images in batches:
        if len(images) < LEAST_BATCH:
            raise ValueError(f"CKA needs batches of at least {LEAST_BATCH} images, got {len(images)}")
        grams = [_grams(model, images, each) for model, each in zip((one, other), names, strict=True)]
        for sums, each in zip(own, grams, strict=True):
            sums += torch.stack([_hsic(gram, gram) for gram in each])
        cross += torch.stack([torch.stack([_hsic(a, b) for b in grams[1]]) for a in grams[0]])
    if not all(sums.any() for sums in own):
        raise ValueError("CKA needs at least one batch of images, got none")
    values = cross / (own[0][:, None] * own[1]).sqrt()
    return pd.DataFrame(values.numpy(), index=names[0], columns=names[1])


def block_names(model: nn.Module) -> list[str]:
    """Return the names of a model's blocks: the outermost modules in a sequence that have submodules.

    For a model without such blocks, return its modules without submodules.
    """
    names: list[str] = []
    for name, parent in named_modules(model).items():
        if not isinstance(parent, (nn.Sequential, nn.ModuleList)) or _inside(name, names):
            continue
        for child, module in parent.named_children():
            if any(True for _ in module.children()) and not isinstance(module, nn.Sequential):
                names.append(f"{name}.{child}".lstrip("."))
    return names or [name for name, module in named_modules(model).items() if not list(module.children())]


def _inside(name: str, parents: Sequence[str]) -> bool:
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def _grams(model: nn.Module, images: Tensor, names: Sequence[str]) -> list[Tensor]:
    """images (B, C, H, W) -> (B, B) for each layer, the products of its outputs' features."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                outputs[name] = output.detach().flatten(1).double()

        return hook

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        with evaluating(model), torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    if missing := [name for name in names if name not in outputs]:
        raise ValueError(f"layers must be modules that return a tensor, got {', '.join(missing)}")
    return [(outputs[name] @ outputs[name].T).cpu() for name in names]


def _hsic(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    """(B, B), (B, B) -> (): the unbiased estimate, diagonals left out."""
    n = len(k)
    k, l = (x - torch.diag(x.diagonal()) for x in (k, l))  # noqa: E741
    means = k.sum() * l.sum() / ((n - 1) * (n - 2))
    return ((k * l).sum() + means - 2 / (n - 2) * (k.sum(0) * l.sum(0)).sum()) / (n * (n - 3))
