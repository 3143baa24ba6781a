r"""How convolutional an attention head is: a kernel of relative offsets, absolute position, and content.

Let $A_{iqk}$ be the weight of key $k$ for query $q$ on image $i$. Each row sums to 1. The variance is over
all images, queries and keys; its mean is $1 / N$ for $N$ keys. Two predictions of the weight are nested:

$$M_{qk} = E[A_{iqk} \mid q, k], \qquad
K_{qk} = \frac{w(k - q)}{\sum_{k' \in F(q)} w(k' - q)} \quad (k \in F(q)).$$

$M$ is the mean map over images, the conditional expectation of the weight given the query and the key. $K$
predicts it from the offset $k - q$ alone. It is static attention: one kernel $w$, clipped to the field
$F(q)$, which the border cuts, and renormalized, as a softmax does. Of all kernels, $w$ gives the least
$E[(M - K)^2]$. A key outside the field has weight 0, so the shape of the field is part of the kernel. The
law of total variance splits the squared error of $K$ without a cross term,

$$\operatorname{Var}(A) = \underbrace{\operatorname{Var}(A) - E[(A - K)^2]}_{\text{kernel}} +
\underbrace{E[(M - K)^2]}_{\text{position}} + \underbrace{E[(A - M)^2]}_{\text{content}},$$

so the three shares of $\operatorname{Var}(A)$ add to 1. The kernel's share is the $R^2$ of predicting a
weight from its offset. Static attention in any field has $A = M = K$, hence exactly 1. So has a converted
convolution, whose queries with a key beyond the zero-padded border are left out. The kernel of equal weights
is always possible where the field is the whole grid, so no true share is below 0 there. Equal weights, which
do not vary at all, count as a kernel.

With $n$ images, the content's part is $E[(A - M)^2]$ with divisor $n - 1$. The kernel also fits the noise of
$M$. To first order that is the noise of the mean weight at each offset, whose variance is subtracted. The
position has the rest, so the sum stays 1. A share that is 0 may therefore be estimated slightly below 0.

>>> import timm
>>> model = timm.create_model("field_cnn_attention", img_size=16, patch_size=4, depth=1)
>>> kernel_shares(model, torch.randn(4, 3, 16, 16)).table["kernel"].round(6).unique().tolist()
[1.0]
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from torch import Tensor, nn

from vision.convert.input_shape import does_not_run
from vision.inspection.attention_maps import recurrences, watch_attention
from vision.inspection.attention_watcher import AttentionCall
from vision.inspection.kernel_moments import HeadKernels, LayerShares, Moments
from vision.inspection.offset_weights import NoOffsets, OffsetWeights, offset_weights


@dataclass(frozen=True)
class KernelShares:
    """What `kernel_shares` returns.

    Attributes:
        table: one row per layer and head, with columns layer, depth, head, kind; kernel, position and
            content, the shares; the ends of their intervals, such as kernel_low and kernel_high; row and
            col, the kernel's mean offset; and width, the radius around it that holds 90% of its weight, in
            tokens.
        kernels: the kernels by layer.
        skipped: the layers left out, with the reason.
    """

    table: pd.DataFrame
    kernels: dict[str, HeadKernels]
    skipped: dict[str, str]


def kernel_shares(
    model: nn.Module, images: Tensor, *, batch_size: int = 16, resamples: int = 1000, seed: int = 0
) -> KernelShares:
    """Return how much of the variance of each head's weights a kernel of relative offsets explains.

    The module's docstring has the formulas. The model runs twice over the images, in minibatches. Only sums
    over images are kept. Intervals are percentiles of a bootstrap over images, in which the mean map and the
    kernel are held fixed. Both are least squares, so to first order their own noise does not count.

    Args:
        model: any model whose attention `attention_maps` finds: this suite's, timm's and torchvision's ViTs,
            timm's Swin with its windows, and converted CNNs.
        images: (B, C, H, W), at least two.
        batch_size: images in a minibatch.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: there are fewer than two images; the model does not run on images of this size; it has no
            attention whose keys have an offset from their query; or weights are not finite.
    """
    if images.ndim != 4 or len(images) < 2:
        raise ValueError(
            "kernel_shares needs images (B, C, H, W), and at least 2, as content is what differs between "
            f"images, got {tuple(images.shape)}"
        )
    if batch_size < 1 or resamples < 1:
        raise ValueError(f"batch_size and resamples must be at least 1, got {batch_size=}, {resamples=}")
    skipped = dict.fromkeys(recurrences(model), "a recurrence has no weights")
    moments: dict[str, Moments] = {}
    for call, weights in _watched(model, images, batch_size, skipped):
        moments.setdefault(call.name, Moments(call.name, call.module, weights)).add(weights)
    if not moments:
        reasons = [f" ({layer}: {reason})" for layer, reason in skipped.items()]
        hint = reasons[0] if reasons else "; convert a CNN with vision.as_attention first"
        raise ValueError(
            "kernel_shares needs attention with offsets between query and key, "
            f"{type(model).__name__} has none{hint}"
        )
    layers = {name: LayerShares(each) for name, each in moments.items()}
    for call, weights in _watched(model, images, batch_size, {}):
        layers[call.name].compare(weights)
    tables = [layer.table(depth, resamples, seed) for depth, layer in enumerate(layers.values(), 1)]
    kernels = {name: layer.kernels() for name, layer in layers.items()}
    return KernelShares(pd.concat(tables, ignore_index=True), kernels, skipped)


def _watched(
    model: nn.Module, images: Tensor, batch_size: int, skipped: dict[str, str]
) -> Iterator[tuple[AttentionCall, OffsetWeights]]:
    """Yield the weights of each layer on each minibatch; the weights of one minibatch are in memory."""
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        found: list[tuple[AttentionCall, OffsetWeights]] = []

        def keep(
            call: AttentionCall,
            batch: Tensor = batch,
            found: list[tuple[AttentionCall, OffsetWeights]] = found,
        ) -> None:
            try:
                found.append((call, offset_weights(call, model, batch)))
            except NoOffsets as reason:
                skipped[call.name] = str(reason)

        try:
            skipped.update(watch_attention(model, batch, keep))
        except Exception as error:
            raise does_not_run(model, images, error) from error
        yield from found
