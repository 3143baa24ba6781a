"""How convolutional trained attention is, in sentences.

>>> from vision.statistics import Estimate
>>> share = [Estimate(0.30, 0.25, 0.35), Estimate(0.20, 0.18, 0.22), Estimate(-0.02, -0.03, -0.01)]
>>> text = share_change("kernel share", SizeTrend("ViT", (100, 5000), *share, 0.01, seeds=5))
>>> for sentence in text.split(". "):
...     print(sentence)
The kernel share of the ViT falls from 30.0% at 100 images to 20.0% at 5,000
That is -2.0 points for each doubling (95% interval -3.0 to -1.0, 5 seeds).
"""

import math
from collections.abc import Callable

from vision.report.wording.names import the
from vision.statistics import SizeTrend
from vision.text import percent, points

TITLE = "Inside the models"
CAPTION = (
    "Kernel share is the part of the variance of attention weights that their relative offsets explain, "
    "averaged over layers and heads. It is 1 for a convolution. The nearest CNN has a kernel of positions in "
    "place of each attention layer, fitted to the layer's output without training. "
    "Each model and measure is tested separately."
)
HEADS_FIGURE = (
    "Distance in pixels between a query and the keys it attends to, averaged over heads and layers. "
    "It starts at step 0, before training. Convolutions have fixed distances and are left out."
)
DISTANCE_FIGURE = (
    "Distance in pixels between a query and the keys it attends to, averaged over heads and layers, "
    "of new and of trained models."
)
SHARE_FIGURE = (
    "Shares of the variance of attention weights: a kernel of relative offsets, absolute position, and "
    "content. They add to 1."
)
WIDTH_FIGURE = (
    "Radius around the centre of a head's kernel that holds 90% of its weight. "
    "It is averaged over layers and heads."
)
KEPT_FIGURE = (
    "Share of the correctly classified test images that stay correct when all attention is replaced by "
    "convolutions of this size, fitted on the same images for all runs."
)


def share_change(name: str, trend: SizeTrend) -> str:
    """Return how a share of a model changes with the number of images."""
    return _change(trend, f"The {name} of {the(trend.label)}", percent, points, " points")


def width_change(name: str, trend: SizeTrend) -> str:
    """Return how a width in tokens changes with the number of images."""
    return _change(trend, f"The {name} of {the(trend.label)}", _tokens, _signed, " tokens")


def kept_change(name: str, trend: SizeTrend) -> str:
    """Return how much of a model a nearest CNN, with this name, keeps by the number of images."""
    return _change(trend, f"What the {name} keeps of {the(trend.label)}", percent, points, " points")


def distance_change(name: str, trend: SizeTrend) -> str:
    """Return how what training adds to a distance in pixels, with this name, changes with the images."""
    what = f"What training adds to the {name} of {the(trend.label)}"
    return _change(trend, what, _added_pixels, _signed, " pixels")


def _change(
    trend: SizeTrend, what: str, value: Callable[[float], str], change: Callable[[float], str], unit: str
) -> str:
    """Return first and last value, and the change with its interval; a change that may be none is not one."""
    first = f"{value(trend.first.mean)} at {trend.sizes[0]:,} images"
    last = f"{value(trend.last.mean)} at {trend.sizes[-1]:,}"
    mean, low, high = map(change, trend.slope)
    interval = f"95% interval {low} to {high}, {trend.seeds} seeds"
    if not trend.is_significant:
        none = f"The change of {mean}{unit} for each doubling is not significant ({interval})."
        return f"{what} is {first} and {last}. {none}{_undetected(trend, change, unit)}"
    verb = "grows" if trend.slope.mean > 0 else "falls"
    return f"{what} {verb} from {first} to {last}. That is {mean}{unit} for each doubling ({interval})."


def _undetected(trend: SizeTrend, change: Callable[[float], str], unit: str) -> str:
    if math.isnan(trend.detectable):
        return ""
    least = change(trend.detectable).removeprefix("+")
    if not float(least):  # all seeds have the same, up to rounding
        return ""
    return f" Changes below {least}{unit} could not have been detected reliably."


def _tokens(radius: float) -> str:
    return f"{radius:.2f} tokens"


def _added_pixels(distance: float) -> str:
    return f"{distance:+.2f} pixels"


def _signed(radius: float) -> str:
    return f"{radius:+.2f}"
