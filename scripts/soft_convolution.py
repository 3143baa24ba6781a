"""Figure of how near attention with soft positions comes to a convolution, by sharpness alpha.

A small CNN learns the digits; its second convolution, 3x3 from 16 to 16 channels, is then replaced by
attention with the scores -alpha |delta - centre|^2 and compared with the original on what the CNN feeds it.
Expect lines of slope -1 below the bound, and one that stays flat: without a ring of zeros the border becomes
that of replicate padding.
About 10 s on one core.

    python scripts/soft_convolution.py --out docs/figures
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from vision.config import DataConfig
from vision.data import load_source
from vision.plots import plot_soft_error, save
from vision.soften.error_bound import soft_errors

ALPHAS = (0.5, 1, 2, 3, 4, 6, 8, 10, 12)
STEPS, BATCH, SEED, SHOWN = 300, 64, 0, 64


def trained(images: Tensor, labels: Tensor) -> nn.Sequential:
    """images (N, 1, 8, 8), labels (N,) -> a CNN of two convolutions that has learned them."""
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


def main() -> None:
    """Train, measure, and write soft_convolution.svg and .png."""
    parser = argparse.ArgumentParser(description="Draw the error of a soft convolution against alpha.")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="default: %(default)s")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    source = load_source(DataConfig(name="digits", source="digits"))
    train, test = (torch.as_tensor(split.pixels) / 255 for split in (source.train, source.test))
    model = trained(train, source.train.labels)
    with torch.no_grad():
        accuracy = (model(test).argmax(1) == source.test.labels).float().mean()
        inputs = model[:2](test[:SHOWN])
        largest = model[2](inputs).norm(dim=1).max()
    table = soft_errors(model[2], ALPHAS, inputs)  # type: ignore[arg-type]
    print(table.to_string(index=False, float_format="{:.3g}".format))
    figure = plot_soft_error(
        table,
        title="A convolution as attention with soft positions: the error falls as exp(-alpha)",
        notes=(
            f"3x3 convolution, 16 to 16 channels, of a CNN trained on digits (test accuracy {accuracy:.3f}, "
            f"seed {SEED});\nlargest over {SHOWN} test images, where its outputs reach a norm of "
            f"{largest:.0f}; float64; torch {torch.__version__}"
        ),
    )
    save(figure, out / "soft_convolution")


if __name__ == "__main__":
    main()
