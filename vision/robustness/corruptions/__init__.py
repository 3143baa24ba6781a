"""The 15 common corruptions of Hendrycks and Dietterich (2019), at severities 1 to 5, made on the fly.

Their constants are those of CIFAR-10-C, which was made for 32 x 32 pixels. Those that count pixels are
scaled to the shorter side of the images, so that a severity hides the same share of any image. Frost is
synthetic, as the authors' photographs are not part of this package; docs/robustness.md lists what else
differs.

Hendrycks and Dietterich: Benchmarking Neural Network Robustness to Common Corruptions and Perturbations,
2019.

>>> list(CORRUPTIONS)[:3], len(CORRUPTIONS)
(['gaussian_noise', 'shot_noise', 'impulse_noise'], 15)
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from vision.robustness.corruptions import blur, digital, noise, weather
from vision.robustness.draws import Draws

SEVERITIES = (1, 2, 3, 4, 5)
# Each maps images in [0, 1], float32 (B, C, H, W), with a severity and random numbers, to such images.
CORRUPTIONS: dict[str, Callable[[Tensor, int, Draws], Tensor]] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": weather.brightness,
    "contrast": digital.contrast,
    "elastic_transform": digital.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg_compression": digital.jpeg_compression,
}


def corrupt(images: Tensor, kind: str, severity: int, numbers: Sequence[int] | None = None) -> Tensor:
    """uint8 (B, C, H, W) -> uint8 (B, C, H, W): images under a corruption.

    Args:
        images: grey or in colour.
        kind: one of `CORRUPTIONS`.
        severity: from 1 to 5.
        numbers: of the images in their data set, which seed the random numbers; None counts from 0.

    Raises:
        ValueError: there is no such corruption or severity, or the images are neither grey nor in colour.
    """
    if kind not in CORRUPTIONS:
        raise ValueError(f"the kind of a corruption must be one of {', '.join(CORRUPTIONS)}, got {kind!r}")
    if severity not in SEVERITIES:
        raise ValueError(f"the severity of a corruption must be an integer from 1 to 5, got {severity}")
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"corruptions need images of 1 or 3 channels, (B, C, H, W), got {tuple(images.shape)}"
        )
    draws = Draws(range(len(images)) if numbers is None else numbers, kind)
    corrupted = CORRUPTIONS[kind](images.float() / 255, severity, draws)
    return corrupted.clamp(0, 1).mul(255).round().to(images.dtype)
