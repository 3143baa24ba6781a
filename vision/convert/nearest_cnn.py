"""`as_convolution`: a copy of any model in which attention by content is the nearest attention by position.

>>> import timm
>>> vit, images = timm.create_model("field_vit", img_size=16, depth=2), torch.randn(8, 3, 16, 16)
>>> cnn = as_convolution(vit, images, kernel_size=3)
>>> [(row.name, row.kernel, row.error < 1) for row in cnn.conversion.rows]
[('blocks.0.mixer', '3x3', True), ('blocks.1.mixer', '3x3', True)]
"""

import copy
import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from vision.argument_types import check_type, checked
from vision.attention.relative_kernel import nearest_kernel, relative_offsets
from vision.convert.calibration import as_tokens, inputs_outputs
from vision.convert.convolution_summary import ConvolutionModel, ConvolutionRow, ConvolutionSummary, left
from vision.convert.distillation import distill
from vision.convert.head_maps import as_soft, head_maps, mean_weights
from vision.convert.input_shape import does_not_run
from vision.convert.kernel_size import KernelSize, kernel_sides
from vision.convert.known_attention import exact_attention, fitted_attention, unknown_attention, why_none
from vision.convert.layers.head_convolution import HeadConvolution
from vision.convert.modules import replace_module
from vision.convert.normal_equations import EXACT
from vision.convert.position_fit import fit_position
from vision.convert.position_start import start_at_centres, start_at_query, start_position
from vision.convert.tracing.observe import observe
from vision.convert.undo_attention import undo_as_attention
from vision.models import prefix_tokens, token_grid
from vision.models.modes import evaluating
from vision.patches import Grid
from vision.text import first_few

RIDGE = 1e-4


def as_convolution(
    model: nn.Module,
    images: Tensor | None = None,
    kernel_size: KernelSize = 3,
    *,
    batch_size: int = 16,
    ridge: float = RIDGE,
    distill_steps: int = 0,
) -> nn.Module:
    """Return a copy of a model with a convolution for each attention layer: the nearest CNN of a ViT.

    - Attention with linear maps to and from values becomes position-only heads, `HeadConvolution`: each head
      has one kernel instead of weights that depend on content. It keeps its map to values. Kernels and the
      map to the output are least-squares fits to the original layer's output over the images. They are solved
      in turn, each in closed form, until the error falls no further. A layer is fitted on the input that the
      converted layers before it give.
    - A soft convolution becomes an nn.Conv2d, which is such heads folded into one kernel, with zero padding.
    - A layer made by `as_attention`, and the mixer conv_attention, becomes the convolution or pool that it
      is, exactly.

    Static attention in a field of this kernel size is converted exactly, also at the border. The error of
    attention by content shows how far it is from a convolution. Everything else, such as norms, MLPs and the
    residual sums, is kept. The attribute `conversion` of the result is a `ConvolutionSummary`.

    Args:
        model: any model. Not changed.
        images: (B, C, H, W), to fit the kernels on. Not needed if all attention is convolutions.
        kernel_size: odd number of tokens across, at most the grid's; or "full", in which a query reaches
            every token: (2 rows - 1) x (2 cols - 1).
        batch_size: images in a minibatch.
        ridge: pull towards the kernel nearest to the attention weights and the original's map to the output,
            relative to the equations.
        distill_steps: further steps of training on the images, towards the model's logits. Where they end
            further from them, the fit is kept.

    Raises:
        ValueError: the model has no attention that can be converted; there are no images, or the model does
            not run on them; the kernel is even or wider than the grid.
    """
    return Calibration(model, images, batch_size=batch_size).convert(
        kernel_size, ridge=ridge, distill_steps=distill_steps
    )


class Calibration:
    """A model and its calibration images, from which it is converted with several kernel sizes.

    Args:
        model, images, batch_size: as in `as_convolution`.

    Raises:
        ValueError: as in `as_convolution`.
    """

    @checked
    def __init__(self, model: nn.Module, images: Tensor | None, *, batch_size: int = 16) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.model, self.images, self.batch_size = model, images, batch_size
        fitted = fitted_attention(model)
        if not fitted and not exact_attention(model):
            raise ValueError(why_none(model))
        if fitted and (images is None or images.ndim != 4 or not len(images)):
            got = "none" if images is None else f"a tensor of shape {tuple(images.shape)}"
            raise ValueError(f"as_convolution needs calibration images (B, C, H, W), got {got}")
        self.fitted, self.prefix = fitted, prefix_tokens(model)
        self.grid = self._grid()
        self._staying = self._reasons()
        self._means: dict[str, tuple[Tensor, Tensor]] = {}

    def check(self, kernel_size: KernelSize) -> None:
        """Raise a ValueError if a kernel does not fit the grid of the tokens."""
        if self.grid is not None:
            kernel_sides(kernel_size, self.grid)

    def convert(self, kernel_size: KernelSize, *, ridge: float = RIDGE, distill_steps: int = 0) -> nn.Module:
        """Return the nearest CNN with this kernel size, as `as_convolution`."""
        check_type("distill_steps", distill_steps, int)
        check_type("ridge", ridge, float)
        if distill_steps < 0 or not 0 <= ridge < math.inf:
            raise ValueError(f"distill_steps and ridge must be at least 0, got {distill_steps=}, {ridge=}")
        self.check(kernel_size)
        model = copy.deepcopy(self.model)
        summary = ConvolutionSummary(
            kernel_size, 0 if self.images is None else len(self.images), distill_steps
        )
        undo_as_attention(model, summary)
        summary.left += [left(name, model, reason) for name, reason in self._staying.items()]
        fitted = [name for name in self.fitted if name not in self._staying]
        summary.rows += [self._fit(model, name, kernel_size, ridge) for name in fitted]
        if not summary.rows:
            names = first_few([one.name or "the model" for one in summary.left], 1)
            raise ValueError(f"no attention can be converted, {names}: {summary.left[0].reason}")
        summary.left += unknown_attention(model)
        cast(ConvolutionModel, model).conversion = summary
        if distill_steps and self.images is not None:
            summary.logit_errors = distill(model, self.model, self.images, steps=distill_steps)
        return model

    def _fit(self, model: nn.Module, name: str, kernel_size: KernelSize, ridge: float) -> ConvolutionRow:
        """Replace one layer in place, given the layers before it."""
        assert self.grid is not None
        original = self.model.get_submodule(name)
        theirs, wanted = self._tokens(self.model, name)
        if not all(bool(each.isfinite().all()) for each in (*theirs, *wanted)):
            raise ValueError(
                f"{name} has numbers that are not finite; check the model's weights and the images"
            )
        pairs = list(zip(self._tokens(model, name)[0], wanted, strict=True))
        maps, sides = head_maps(original), kernel_sides(kernel_size, self.grid)
        assert maps is not None
        if (soft := as_soft(original)) is not None:
            layer = start_at_centres(maps, soft.centres, self.grid, kernel_size=sides)
            error = fit_position(layer, pairs, ridge)
            replace_module(model, name, layer.folded().train(original.training))
            return _fitted(name, layer, error)
        mean, kernel = self._mean(name, theirs)
        layer = start_position(maps, mean, kernel, self.grid, prefix=self.prefix, kernel_size=sides)
        error = fit_position(layer, pairs, ridge)
        if error > EXACT:
            # The two steps have several optima. The other start is a 1 x 1 convolution.
            other = start_at_query(copy.deepcopy(layer), maps)
            if (its := fit_position(other, pairs, ridge)) < error:
                layer, error = other, its
        replace_module(model, name, layer.train(original.training))
        return _fitted(name, layer, error)

    def _tokens(self, model: nn.Module, name: str) -> tuple[list[Tensor], list[Tensor]]:
        """Return inputs and outputs (B, P + N, C) of a layer, in minibatches."""
        assert self.images is not None
        pairs = inputs_outputs(model, name, self.images, self.batch_size)
        inputs, outputs = zip(*((as_tokens(x), as_tokens(y)) for x, y in pairs), strict=True)
        return list(inputs), list(outputs)

    def _reasons(self) -> dict[str, str]:
        """Return the layers with maps that stay, and why."""
        if self.images is None or self.grid is None:
            return dict.fromkeys(self.fitted, "the model states no grid of its tokens")
        try:
            ran = observe(self.model, tuple(self.images.shape[1:])).modules
        except Exception as error:
            raise does_not_run(self.model, self.images, error) from error
        reasons: dict[str, str] = {}
        for name in self.fitted:
            runs = ran[name].runs if name in ran else 0
            if runs != 1:
                reasons[name] = f"it runs {runs} times for an image"
            elif _token_count(ran[name].output_shape) != self.grid.size + self.prefix:
                reasons[name] = f"its tokens are not the {self.grid.rows} x {self.grid.cols} patches"
        return reasons

    def _mean(self, name: str, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the original's mean weights (H, M, M), and the kernel nearest to those between patches."""
        assert self.images is not None and self.grid is not None
        if name not in self._means:
            module = self.model.get_submodule(name)
            with evaluating(module), torch.no_grad():
                mean = torch.stack([mean_weights(module, x) * len(x) for x in inputs]).sum(0).cpu()
            mean = mean / len(self.images)
            patches = mean[:, self.prefix :, self.prefix :]
            patches = patches / patches.sum(-1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
            kernel = nearest_kernel(patches, *relative_offsets(self.grid))
            self._means[name] = mean, torch.unflatten(kernel, 1, (2 * self.grid.rows - 1, -1))
        return self._means[name]

    def _grid(self) -> Grid | None:
        if not self.fitted or self.images is None:
            return None
        return token_grid(self.model, (self.images.shape[1], self.images.shape[2], self.images.shape[3]))


def _fitted(name: str, layer: HeadConvolution, error: float) -> ConvolutionRow:
    kernel = "x".join(map(str, layer.kernel_size))
    return ConvolutionRow(name, "fitted", kernel, layer.num_heads, error)


def _token_count(shape: Sequence[int]) -> int:
    """Return N of a shape (B, N, C), or H * W of (B, C, H, W)."""
    return math.prod(shape[2:]) if len(shape) == 4 else shape[1]
