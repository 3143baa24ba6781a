"""Sums over images of a layer's attention weights, and the shares of their variance.

`vision.inspection.kernel_share` documents what is computed.

>>> moments = Moments("attn", torch.nn.Identity(), first_batch)  # doctest: +SKIP
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from vision.attention.relative_kernel import expand, nearest_kernel, sum_by_offset
from vision.inspection.attention_distance import kind_of
from vision.inspection.offset_weights import OffsetWeights

SHARES = ("kernel", "position", "content")
LEVEL = 0.95  # of the intervals
HELD = 0.9  # of the kernel's weight, within the effective width
EQUAL = 1e-12  # a variance below this share of the squared mean is rounding


@dataclass(frozen=True)
class HeadKernels:
    """The kernels of a layer's heads.

    Attributes:
        weights: (H, R, C), each head's weights, which sum to 1.
        rows: (R,), the rows of the offsets from the query, in tokens of the keys.
        cols: (C,), their columns.
    """

    weights: np.ndarray
    rows: np.ndarray
    cols: np.ndarray


class Moments:
    """Sums over images of one layer's weights."""

    def __init__(self, name: str, module: nn.Module, first: OffsetWeights) -> None:
        self.name, self.kind, self.layout = name, kind_of(module), first
        heads, queries, keys = first.weights.shape[1:]
        self.total = torch.zeros(heads, queries, keys, dtype=torch.float64)
        self.profile = torch.zeros(heads, first.count, dtype=torch.float64)
        self.profile_squares = torch.zeros_like(self.profile)
        self.squares: list[Tensor] = []  # (B, H) of each minibatch

    def add(self, batch: OffsetWeights) -> None:
        """Add the weights of a minibatch.

        Raises:
            ValueError: they are not finite numbers.
        """
        weights = batch.weights.cpu()
        if not weights.isfinite().all():
            raise ValueError(
                f"the attention of {self.name} has weights that are not finite; check the model's weights "
                "and the images"
            )
        self.total += weights.sum(0)
        self.squares.append(weights.square().sum((2, 3)))
        profile = sum_by_offset(weights, batch.offsets.cpu(), batch.count)
        self.profile += profile.sum(0)
        self.profile_squares += profile.square().sum(0)


class LayerShares:
    """The mean map of a layer, its nearest kernel, and how each image agrees with the two."""

    def __init__(self, moments: Moments) -> None:
        self.layout, self.moments = moments.layout, moments
        self.squares = torch.cat(moments.squares)  # (n, H)
        self.n = len(self.squares)
        self.mean = moments.total / self.n
        self.offsets, self.count = self.layout.offsets.cpu(), self.layout.count
        self.kernel = nearest_kernel(self.mean, self.offsets, self.count)
        used = self.mean.sum(-1, keepdim=True) > 0
        self.nearest = expand(self.kernel, self.offsets) * used
        self.used = used.sum((1, 2)).clamp(min=1)  # queries of each head
        self.with_mean: list[Tensor] = []
        self.with_kernel: list[Tensor] = []

    def compare(self, batch: OffsetWeights) -> None:
        """Keep the products of each image's weights with the mean map and with the kernel."""
        weights = batch.weights.cpu()
        self.with_mean.append(torch.einsum("bhqk,hqk->bh", weights, self.mean))
        self.with_kernel.append(torch.einsum("bhqk,hqk->bh", weights, self.nearest))

    def kernels(self) -> HeadKernels:
        """Return the kernels as arrays."""
        rows, cols = self.layout.rows.numpy(), self.layout.cols.numpy()
        return HeadKernels(self.kernel.view(-1, len(rows), len(cols)).numpy(), rows, cols)

    def table(self, depth: int, resamples: int, seed: int) -> pd.DataFrame:
        """Return the rows of `KernelShares.table`."""
        every = np.ones((1, self.n)) / self.n
        generator = np.random.default_rng(seed)
        drawn = generator.multinomial(self.n, every[0], size=resamples) / self.n
        shares, samples = self._shares(every)[0], self._shares(drawn)
        low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        rows: list[dict[str, object]] = []
        places = effective_width(self.kernels())
        for head, (row, col, width) in enumerate(places):
            values: dict[str, object] = {"layer": self.moments.name, "depth": depth, "head": head}
            values["kind"] = self.moments.kind
            for index, name in enumerate(SHARES):
                ends = {"": shares, "_low": low, "_high": high}
                values |= {f"{name}{end}": float(each[head, index]) for end, each in ends.items()}
            rows.append(values | {"row": row, "col": col, "width": width, "images": self.n})
        return pd.DataFrame(rows)

    def _shares(self, drawn: np.ndarray) -> np.ndarray:
        """drawn (R, n), rows sum to 1 -> (R, H, 3): the shares on samples of the images."""
        each = (self.squares, torch.cat(self.with_mean), torch.cat(self.with_kernel))
        second, mean, kernel = (drawn @ (one / self.used).numpy() for one in each)  # (R, H) per query
        constant = 1 / self.layout.keys
        noise = self._noise_of_mean()
        total = second - constant
        of_mean = 2 * mean - self._square(self.mean) - noise[0] - constant
        of_kernel = 2 * kernel - self._square(self.nearest) - noise[1] - constant
        equal = total <= EQUAL * constant
        parts = np.stack((of_kernel, of_mean - of_kernel, total - of_mean), axis=-1)
        shares = parts / np.where(equal, 1.0, total)[..., None]
        return np.where(equal[..., None], np.array([1.0, 0.0, 0.0]), shares)

    def _noise_of_mean(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (H) and (H): the variance of the mean map, and of the mean weight at each offset."""
        map_noise = ((self.squares.mean(0) / self.used).numpy() - self._square(self.mean)) / (self.n - 1)
        seen = (self.mean.sum(-1, keepdim=True) > 0).expand_as(self.mean)
        pairs = sum_by_offset(seen.double(), self.offsets, self.count)
        mean = self.moments.profile / self.n
        spread = (self.moments.profile_squares / self.n - mean.square()) / pairs.clamp(min=1)
        return map_noise, (spread.sum(1) / self.used / (self.n - 1)).numpy()

    def _square(self, weights: Tensor) -> np.ndarray:
        return (weights.square().sum((1, 2)) / self.used).numpy()


def effective_width(kernels: HeadKernels) -> list[tuple[float, float, float]]:
    """Return for each head the row and column of its mean offset, and the radius that holds 90% of it."""
    rows, cols = (each.ravel() for each in np.meshgrid(kernels.rows, kernels.cols, indexing="ij"))
    found: list[tuple[float, float, float]] = []
    for weights in kernels.weights.reshape(len(kernels.weights), -1):
        row, col = float(weights @ rows), float(weights @ cols)
        radius = np.hypot(rows - row, cols - col)
        order = np.argsort(radius, kind="stable")
        held: np.ndarray = np.cumsum(weights[order])
        index = min(int((held < HELD * held[-1] - 1e-9).sum()), len(order) - 1)
        found.append((row, col, float(radius[order][index])))
    return found
