"""Corruptions against formulas, hand-computed pixels and Pillow; each image has its own random numbers."""

import colorsys
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from vision.robustness import CORRUPTIONS, SEVERITIES, corrupt
from vision.robustness.corruptions import blur, digital, noise, weather
from vision.robustness.corruptions.fractal import plasma_fractal
from vision.robustness.corruptions.sampling import blur_along, zoom
from vision.robustness.draws import Draws

WITHOUT_CHANCE = ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression")


def photos(count: int = 4, side: int = 32, channels: int = 3) -> torch.Tensor:
    """Smooth random images, uint8 (B, C, H, W), none of them constant."""
    small = torch.rand(count, channels, 6, 6, generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(small, (side, side), mode="bilinear", align_corners=True)
    return large.mul(255).round().to(torch.uint8)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_an_image_is_corrupted_equally_in_any_batch_and_more_with_severity(kind):
    images = photos()
    whole = corrupt(images, kind, 3)
    assert whole.shape == images.shape and whole.dtype == torch.uint8
    assert torch.equal(corrupt(images[2:3], kind, 3, [2]), whole[2:3])
    same = corrupt(images[2:3], kind, 3, [7])
    assert torch.equal(same, whole[2:3]) == (kind in WITHOUT_CHANCE)
    distances = [float((corrupt(images, kind, s).float() - images).abs().mean()) for s in SEVERITIES]
    assert all(distance > 0.05 for distance in distances)
    if kind not in ("glass_blur", "elastic_transform", "frost", "snow"):  # their constants are no order
        assert distances == sorted(distances)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_grey_images_and_other_sizes(kind):
    for shape in ((2, 1, 8, 8), (2, 3, 24, 40)):
        images = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
        assert corrupt(images, kind, 5).shape == shape


def test_noise_has_the_mean_and_deviation_of_its_formula():
    x, draws = torch.full((20, 1, 32, 32), 0.5), Draws(range(20), "test")
    added = noise.gaussian_noise(x, 5, draws) - x
    assert float(added.mean()) == pytest.approx(0, abs=0.003)
    assert float(added.std()) == pytest.approx(0.10, rel=0.03)
    shot = noise.shot_noise(x, 5, draws)  # a count with mean and variance 25, divided by 50
    assert float(shot.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(shot.std()) == pytest.approx(math.sqrt(25) / 50, rel=0.03)
    torch.testing.assert_close((shot * 50).round(), shot * 50)
    impulse = noise.impulse_noise(x, 5, draws)
    for value in (0.0, 1.0):
        assert float((impulse == value).double().mean()) == pytest.approx(0.035, abs=0.005)
    assert set(impulse.unique().tolist()) == {0.0, 0.5, 1.0}


def test_the_kernel_of_defocus_is_a_smooth_disk():
    # A radius of 1 holds the pixel and its four neighbours. Smoothing of 0.2 pixels changes little.
    side = math.exp(-1 / (2 * 0.2**2))
    total = (1 + 2 * side) ** 2
    kernel = blur.aperture(1.0, 0.2)
    assert kernel.shape == (5, 5) and float(kernel.sum()) == pytest.approx(1)
    assert float(kernel[2, 2]) == pytest.approx(0.2 * (1 + 4 * side) / total, rel=1e-4)
    assert float(kernel[2, 3]) == pytest.approx(0.2 * (1 + side + 2 * side**2) / total, rel=1e-4)
    # A radius of 0.3 holds one pixel, smoothed in 3 x 3 pixels.
    side = math.exp(-1 / (2 * 0.4**2))
    total = (1 + 2 * side) ** 2
    expected = torch.tensor([[side**2, side, side**2], [side, 1, side], [side**2, side, side**2]]) / total
    torch.testing.assert_close(blur.aperture(0.3, 0.4), expected)


def test_motion_blur_spreads_a_pixel_along_its_line():
    x = torch.zeros(2, 1, 9, 9)
    x[:, :, 4, 4] = 1
    weights = torch.tensor([math.exp(-(step**2) / 2) for step in range(5)])
    weights /= weights.sum()
    blurred = blur_along(x, 6, 1.0, torch.tensor([0.0, 90.0]))
    torch.testing.assert_close(blurred[0, 0, 4, :5].flip(0), weights)  # a pixel reads those to its right
    torch.testing.assert_close(blurred[1, 0, :5, 4].flip(0), weights)
    assert float(blurred[0].sum()) == pytest.approx(1)


@pytest.mark.parametrize("change", [blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur])
def test_blur_keeps_constant_images_and_reaches_as_far_as_the_image_is_large(change):
    constant = torch.full((2, 3, 32, 32), 0.3)
    torch.testing.assert_close(change(constant, 5, Draws([0, 1], "test")), constant)
    for side, factor in ((32, 1), (64, 2)):
        ramp = (torch.arange(side) / side).expand(1, 1, side, side)
        moved = (change(ramp, 4, Draws([0], "test")) - ramp)[..., side // 4 : -side // 4].abs().max()
        assert float(moved) < 0.25, factor


def test_glass_reads_pixels_next_to_each_and_keeps_the_border():
    x = torch.arange(64.0).view(1, 1, 8, 8)
    read = blur.read_nearby(x, 1, Draws([0], "test"))
    moved = (x - read)[0, 0]
    assert set(moved[2:, 2:].unique().tolist()) == {0.0, 1.0, 8.0, 9.0}  # up, to the left, both or neither
    assert torch.equal(moved[:2], torch.zeros(2, 8)) and torch.equal(moved[:, :2], torch.zeros(8, 2))


def test_zoom_enlarges_the_centre():
    ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    torch.testing.assert_close(zoom(ramp, 2.0)[0, 0, 0], torch.linspace(2, 6, 9))


def test_zoom_blur_averages_the_zooms_of_the_authors():
    ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    for severity, end in enumerate((1.06, 1.11, 1.16, 1.21, 1.26), 1):
        factors = np.arange(1, end, 0.01)  # as their code writes it: 7, 12, 16, 21 and 26 factors
        mean = (ramp + sum(zoom(ramp, float(factor)) for factor in factors)) / (len(factors) + 1)
        torch.testing.assert_close(blur.zoom_blur(ramp, severity, Draws([0], "test")), mean)


def test_plasma_fractal_is_the_diamond_square_algorithm():
    random = Draws([3], "test").uniform(-1, 1, 2, 2)[0].double() * 100.0**2
    middle = random[1, 1]  # all four corners of a map of 2 x 2 are the same pixel, 0
    heights = torch.tensor([[0.0, 2 * middle / 4 + random[0, 1]], [2 * middle / 4 + random[1, 0], middle]])
    expected = (heights - heights.min()) / (heights.max() - heights.min())
    clouds = plasma_fractal(2, 2, 3.0, Draws([3], "test"))
    torch.testing.assert_close(clouds[0].double(), expected.double(), rtol=1e-5, atol=1e-5)
    rough, smooth = (plasma_fractal(64, 64, decay, Draws([0], "test")) for decay in (1.75, 3.0))
    assert rough.diff(dim=1).abs().mean() > 1.2 * smooth.diff(dim=1).abs().mean()


def test_fog_keeps_the_brightest_value_in_the_range():
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.8
    clouds = plasma_fractal(32, 32, 2.0, Draws(range(3), "test"))[:, None]
    most = x.amax((1, 2, 3), keepdim=True)
    foggy = weather.fog(x, 4, Draws(range(3), "test"))
    torch.testing.assert_close(foggy, (x + clouds) * most / (most + 1))
    assert bool((foggy.amax((1, 2, 3)) <= most.flatten()).all())


def test_brightness_adds_to_the_value_of_hsv():
    colours = torch.tensor([[0.2, 0.4, 0.1], [0.0, 0.0, 0.0], [0.9, 0.5, 0.7], [0.3, 0.3, 0.3]])
    changed = weather.brightness(colours.T.view(1, 3, 2, 2), 4, Draws([0], "test"))
    for colour, found in zip(colours.tolist(), changed.view(3, 4).T.tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*colour)
        assert found == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.2)), abs=1e-6)


def test_snow_and_frost_brighten():
    images = photos().float() / 255 * 0.5
    for change in (weather.snow, weather.frost):
        for severity in SEVERITIES:
            assert change(images, severity, Draws(range(4), "test")).mean() > images.mean()


def test_contrast_keeps_the_mean_of_each_channel():
    x = photos().double() / 255
    changed = digital.contrast(x, 5, Draws(range(4), "test"))
    torch.testing.assert_close(changed.mean((2, 3)), x.mean((2, 3)))
    torch.testing.assert_close(changed.std((2, 3)), 0.15 * x.std((2, 3)))


def test_elastic_of_severity_1_is_the_affine_map_of_three_corners():
    moves = Draws([5], "test").uniform(-0.08 * 32, 0.08 * 32, 3, 2)[0].double()
    corners = torch.tensor([[26.0, 26], [26, 6], [6, 6]]).double()  # columns and rows
    columns, rows = (torch.arange(32.0).expand(1, 1, 32, 32).clone() for _ in range(2))
    rows = rows.transpose(2, 3).contiguous()
    found = [
        digital.elastic_transform(part, 1, Draws([5], "test"))[0, 0].double() for part in (columns, rows)
    ]
    for corner, moved in zip(corners, corners + moves, strict=True):
        # The pixel around the moved corner reads the image around the corner itself.
        col, row = (int(value) for value in moved.round())
        read = torch.stack([values[row, col] for values in found])
        assert float((read - corner).abs().max()) < 1.0


def test_pixelate_and_jpeg_are_pillows():
    images = photos(2)
    for picture, small, compressed in zip(
        images, corrupt(images, "pixelate", 5), corrupt(images, "jpeg_compression", 5), strict=True
    ):
        image = Image.fromarray(picture.permute(1, 2, 0).numpy())
        expected = image.resize((20, 20), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX)
        assert np.array_equal(np.asarray(expected), small.permute(1, 2, 0).numpy())
        file = io.BytesIO()
        image.save(file, "JPEG", quality=40)
        assert np.array_equal(np.asarray(Image.open(file)), compressed.permute(1, 2, 0).numpy())


def test_errors_name_the_value_and_what_would_be_right():
    images = photos(1)
    with pytest.raises(ValueError, match=r"one of gaussian_noise, .*, got 'rain'"):
        corrupt(images, "rain", 1)
    with pytest.raises(ValueError, match="from 1 to 5, got 6"):
        corrupt(images, "fog", 6)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        corrupt(torch.zeros(1, 2, 8, 8, dtype=torch.uint8), "fog", 1)
