"""Image files in a folder for each class.

    root/train/<class>/*.png and root/test/<class>/*.png (or root/val/), or root/<class>/*.png alone

>>> load_source(DataConfig(name="pets", source="image_folder", root="pets", img_size=64))  # doctest: +SKIP
"""

from pathlib import Path

import torch

from vision.config import DataConfig
from vision.data.encoded import EncodedImages
from vision.data.images import Images, Source
from vision.data.sources.registry import register_source
from vision.data.subsets import stratified_split

TEST_SHARE = 0.2


@register_source("image_folder")
def load_folder(config: DataConfig) -> Source:
    """Read root/train and root/test (or root/val); a root with only classes is split.

    The split of a single folder is stratified, holds out a fifth for the test and depends only on
    the files' names. Classes are named by their folders, in alphabetical order.

    Raises:
        FileNotFoundError: data.root is not a folder, or a part of the layout is missing.
        ValueError: the test folder has a class that is missing in the training folder.
    """
    root = Path(config.root).absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"data.root={config.root!r} is not a folder: {root}")
    if not (root / "train").is_dir():
        images, classes = _read(root)
        train, test = stratified_split(images.labels, TEST_SHARE)
        return Source(images.pick(train), images.pick(test), classes)
    test_folder = next((root / name for name in ("test", "val") if (root / name).is_dir()), None)
    if test_folder is None:
        raise FileNotFoundError(f"data.root={config.root!r} has a folder train, but no test or val: {root}")
    train, classes = _read(root / "train")
    test, test_classes = _read(test_folder)
    unknown = sorted(set(test_classes) - set(classes))
    if unknown:
        raise ValueError(
            f"{test_folder} has classes that are missing in {root / 'train'}: {', '.join(unknown)}"
        )
    position = torch.tensor([classes.index(name) for name in test_classes])
    return Source(train, Images(test.pixels, position[test.labels]), classes)


def _is_image(path: str) -> bool:
    from PIL import Image

    Image.init()
    return Image.registered_extensions().get(Path(path).suffix.lower()) in Image.OPEN


def _read(folder: Path) -> tuple[Images, tuple[str, ...]]:
    from torchvision.datasets import ImageFolder  # pyright: ignore[reportMissingTypeStubs]

    try:
        found = ImageFolder(str(folder), is_valid_file=_is_image)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"data.root must have one folder of images per class in {folder}: {error}"
        ) from error
    paths, labels = zip(*found.samples, strict=True)
    return Images(EncodedImages(paths), torch.tensor(labels)), tuple(found.classes)
