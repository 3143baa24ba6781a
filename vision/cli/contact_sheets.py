"""Contact sheets: one picture per class, of training images and then of test images.

>>> write_contact_sheets(source, Path("outputs/data/digits"))  # doctest: +SKIP
PosixPath('outputs/data/digits')
"""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false

from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torchvision.utils import make_grid, save_image  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from vision.data import Images, Source
from vision.inspection import spread_indices
from vision.results import folder_name

COLUMNS, TRAIN_ROWS, TEST_ROWS = 10, 4, 1
LEAST_SIDE = 48  # smaller images are enlarged
GAP = 2
GREY = 0.5  # of gaps and empty cells, which neither black nor white images look like
MOST_LETTERS = 60  # of the name of a class in that of its file, which file systems limit to 255 bytes


def write_contact_sheets(source: Source, folder: Path) -> Path:
    """Write one PNG per class, evenly spaced images of each split; returns the folder.

    Up to four rows of training images are followed by one row of test images. Grey cells are empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for label, name in enumerate(source.classes):
        of_class = int((source.train.labels == label).sum())
        rows = min(TRAIN_ROWS, -(-of_class // COLUMNS))
        cells = torch.cat(
            [_cells(source.train, label, rows * COLUMNS), _cells(source.test, label, TEST_ROWS * COLUMNS)]
        )
        number = f"{label:0{len(str(len(source.classes) - 1))}}"
        path = folder / f"{number}-{folder_name(name)[:MOST_LETTERS]}.png"
        save_image(make_grid(cells, nrow=COLUMNS, padding=GAP, pad_value=GREY), path)
    return folder


def _cells(images: Images, label: int, count: int) -> Tensor:
    """Return `count` images of a class, float (count, C, H, W) in [0, 1], filled up with grey ones."""
    of_class = (images.labels == label).nonzero().flatten()
    chosen = of_class[spread_indices(len(of_class), count)] if len(of_class) else of_class
    channels, height, width = images.shape
    cells = torch.full((count, channels, height, width), GREY)
    for cell, index in zip(cells, cast("list[int]", chosen.tolist()), strict=False):
        cell.copy_(images.pixels[index].cpu() / 255)
    shown = cells[:, :3] if channels > 3 else cells[:, :1] if channels == 2 else cells
    factor = -(-LEAST_SIDE // min(height, width))
    return shown.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
