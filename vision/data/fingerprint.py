"""A fingerprint of a data set, by which a run notices that its images or labels have changed.

>>> images = Images(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]))
>>> fingerprint([images], ("a", "b"), contents=True)[:9]
'contents:'
"""

import hashlib
import os
from collections.abc import Sequence

import torch
from torch import Tensor

from vision.data.images import Images

CHUNK = 1024


def fingerprint(splits: Sequence[Images], classes: Sequence[str], *, contents: bool) -> str:
    """Return the SHA-256 of all images as their source gave them, their labels and the names of the classes.

    Whether images are decoded into memory later makes no difference, nor does the decoder.

    Args:
        splits: images of each split; tensors are uint8.
        classes: the names of the classes.
        contents: read the files of encoded images; otherwise their names and sizes, for data that is too
            large to be read at every start.

    Returns:
        "contents:" or "sizes:", and the SHA-256; only two of a kind can be compared.
    """
    whole = hashlib.sha256("\0".join(classes).encode())
    for images in splits:
        whole.update(images.labels.to(torch.int64).numpy().tobytes())
        if isinstance(images.pixels, Tensor):
            whole.update(str(tuple(images.pixels.shape)).encode())
            for chunk in torch.split(images.pixels, CHUNK):
                whole.update(chunk.contiguous().numpy().tobytes())
        else:
            for item in images.pixels.items:
                whole.update(_file(item, contents=contents))
    return f"{'contents' if contents else 'sizes'}:{whole.hexdigest()}"


def has_changed(before: str, now: str) -> bool:
    """Return whether two fingerprints of one kind differ; those of two kinds say nothing."""
    return before.partition(":")[0] == now.partition(":")[0] and before != now


def _file(item: str | bytes, *, contents: bool) -> bytes:
    """Return the digest of one encoded image; one that cannot be read is reported where it is decoded."""
    if isinstance(item, bytes):
        return hashlib.sha256(item).digest()
    try:
        if not contents:
            return f"{os.path.basename(item)} {os.path.getsize(item)}".encode(errors="surrogateescape")
        with open(item, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b"unreadable"
