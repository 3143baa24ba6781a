"""Draw how close attention with soft positions comes to a convolution, by sharpness alpha.

A small CNN learns the digits. Its second convolution, 3x3 from 16 to 16 channels, is then replaced by
attention with the scores -alpha |delta - centre|^2. The two are compared on the activations of the CNN.
Expect lines of slope -1 below the bound, and one line that stays flat: without a ring of zeros, the border
converges to replicate padding instead.
About 10 s on one core.

    python scripts/soft_convolution.py --out docs/figures
"""

import argparse
from pathlib import Path
from typing import Any, cast

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from vision.config import DataConfig
from vision.data import load_source
from vision.plots import save
from vision.plots.layout.figure import new_figure
from vision.plots.layout.legend import legend_above
from vision.plots.layout.small_multiples import name_axes, small_multiples
from vision.plots.layout.style import COLOURS, MARKERS, MUTED, styled
from vision.plots.layout.ticks import powers_of_ten
from vision.soften import soft_errors

ALPHAS = (0.5, 1, 2, 3, 4, 6, 8, 10, 12)
STEPS, BATCH, SEED, TEST_IMAGES = 300, 64, 0, 64
REGIONS = {
    "inside": "inside: the kernel lies on the image",
    "border": "border: the kernel reaches the padding",
}
RINGS = {True: "with a ring of zero tokens", False: "without a ring"}
_CONVERGES_ELSEWHERE = "tends to replicate padding instead"


def trained(images: Tensor, labels: Tensor) -> nn.Sequential:
    """Return a CNN of two convolutions, trained on images (N, 1, 8, 8) and labels (N,)."""
    torch.manual_seed(SEED)
    body = (nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
    model = nn.Sequential(*body, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(STEPS):
        batch = torch.randint(len(labels), (BATCH,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    return model


@styled
def plot_soft_error(table: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Draw measured error and bound by alpha on a log scale, one panel per region.

    Args:
        table: columns alpha, region ("inside" or "border"), ring, measured, bound.
        title: text above the figure.
        notes: small print below it: what was measured, n, precision, versions.

    Raises:
        ValueError: the table has no row of a known region.
    """
    groups = {str(region): rows for region, rows in table.groupby("region")}
    regions = [region for region in REGIONS if region in groups]
    if not regions:
        raise ValueError(f"region must be one of {', '.join(REGIONS)}, got {sorted(groups)}")
    figure, body = new_figure(title, notes, height=2.4 * len(regions) + 0.8)
    panels = small_multiples(body, len(regions), columns=1)
    for panel, region in zip(panels, regions, strict=True):
        _panel(panel, groups[region].sort_values("alpha"))
        panel.set_title(REGIONS[region])
    for panel in panels:
        powers_of_ten(panel)
    distance = "largest distance from the zero-padded convolution"
    name_axes(body, panels, "sharpness alpha of the position scores", distance)
    legend_above(body, panels[0].get_lines())
    return figure


def _panel(panel: Axes, table: pd.DataFrame) -> None:
    bound = table.drop_duplicates("alpha")
    panel.plot(bound["alpha"], bound["bound"], color=MUTED, linestyle="--", label="bound")
    for ring, rows in table.groupby("ring", sort=False):
        order = list(RINGS).index(bool(ring))
        # The lines may coincide: open markers leave both visible.
        panel.plot(
            rows["alpha"],
            rows["measured"],
            color=COLOURS[order],
            marker=MARKERS[order],
            markersize=5 + 3 * order,
            markerfacecolor="none" if order else COLOURS[order],
            linestyle=":" if order else "-",
            label=f"measured, {RINGS[bool(ring)]}",
        )
        last = rows.iloc[-1]
        if last["measured"] > last["bound"]:
            above: dict[str, Any] = {"xytext": (4, 9), "textcoords": "offset points", "ha": "right"}
            end = last["alpha"], last["measured"]
            panel.annotate(_CONVERGES_ELSEWHERE, end, **above, color=COLOURS[1])
    panel.set_yscale("log")


def main() -> None:
    """Train, measure, and write soft_convolution.svg and .png."""
    parser = argparse.ArgumentParser(description="Draw the error of a soft convolution against alpha.")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="default: %(default)s")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    source = load_source(DataConfig(name="digits", source="digits"))
    train, test = (torch.as_tensor(split.pixels) / 255 for split in (source.train, source.test))
    model = trained(train, source.train.labels)
    conv = cast(nn.Conv2d, model[2])
    with torch.no_grad():
        accuracy = (model(test).argmax(1) == source.test.labels).float().mean()
        inputs = model[:2](test[:TEST_IMAGES])
        largest = conv(inputs).norm(dim=1).max()
    table = soft_errors(conv, ALPHAS, inputs)
    print(table.to_string(index=False, float_format="{:.3g}".format))
    figure = plot_soft_error(
        table,
        title="A convolution as attention with soft positions: the error falls as exp(-alpha)",
        notes=(
            f"3x3 convolution, 16 to 16 channels, of a CNN trained on digits (test accuracy {accuracy:.3f}, "
            f"seed {SEED});\nlargest over {TEST_IMAGES} test images, where its outputs reach a norm of "
            f"{largest:.0f}; float64; torch {torch.__version__}"
        ),
    )
    save(figure, out / "soft_convolution")


if __name__ == "__main__":
    main()
