"""The part of each batch that one of several processes trains on.

>>> whole = iter([(torch.arange(4.0), torch.arange(4))])
>>> next(part_of_batches(whole, ProcessOfRun(rank=1, count=2)))
(tensor([2., 3.]), tensor([2, 3]))
"""

from collections.abc import Iterator

from torch import Tensor

from vision.config import ProcessOfRun
from vision.data.drawn_batches import Batch


def part_of_batches(batches: Iterator[Batch], process: ProcessOfRun) -> Iterator[Batch]:
    """Yield the part of one process of batches that all have made whole, as Mixup joins their images."""
    for images, targets in batches:
        yield _part(images, process), _part(targets, process)


def _part(whole: Tensor, process: ProcessOfRun) -> Tensor:
    return whole.tensor_split(process.count)[process.rank]
