"""Image files in a folder for each class.

    root/train/<class>/*.png and root/test/<class>/*.png (or root/val/), or root/<class>/*.png alone

>>> load_source(DataConfig(name="pets", source="image_folder", root="pets", img_size=64))  # doctest: +SKIP
"""

from pathlib import Path

import torch

from vision.config import DataConfig
from vision.data.encoded import EncodedImages
from vision.data.images import Images, Source
from vision.data.notes import named
from vision.data.sources.allowed_folders import AllowedFolders
from vision.data.sources.folder_layout import EXPECTED, Folder
from vision.data.sources.registry import register_source
from vision.data.subsets import stratified_split

TEST_SHARE = 0.2
UNUSED = "folders of splits that are not used"


@register_source("image_folder")
def load_folder(config: DataConfig) -> Source:
    """Read root/train and root/test (or root/val); a root with only classes is split.

    The split of a single folder is stratified, holds out a fifth for the test and depends only on
    the files' names. Classes are named by their folders, in alphabetical order. The splits may have other
    usual names, and lie one folder deeper. What is not data is left out, see `folder_layout`.

    Raises:
        FileNotFoundError: data.root is not a folder, or a part of the layout is missing.
        ValueError: the layout is not recognized, or the test folder has a class that is missing in the
            training folder.
    """
    root = Path(config.root).absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"data.root={config.root!r} is not a folder: {root}")
    inside = AllowedFolders(root, anywhere=config.allow_outside_root)
    folder = Folder(root, f"data.root={config.root!r}", inside)
    splits = folder.splits()
    folder.note_hidden(folder.root)
    if not splits:
        images, classes = _labelled(folder.classes(folder.root))
        train, test = stratified_split(images.labels, TEST_SHARE)
        return Source(images.pick(train), images.pick(test), classes, folder.notes)
    held_out = next((splits[name] for name in ("test", "val") if name in splits), None)
    if held_out is None:
        raise FileNotFoundError(
            f"{folder.named} has a folder {splits['train'].name}, but no test or val: {root}; {EXPECTED}"
        )
    train, classes = _labelled(folder.classes(splits["train"]))
    test, test_classes = _labelled(folder.classes(held_out))
    if unknown := sorted(set(test_classes) - set(classes)):
        raise ValueError(f"{held_out} has classes that are missing in {splits['train']}: {named(unknown)}")
    position = torch.tensor([classes.index(name) for name in test_classes])
    unused = [path.name for path in splits.values() if path not in (splits["train"], held_out)]
    notes = folder.notes.with_skipped(UNUSED, unused)
    return Source(train, Images(test.pixels, position[test.labels]), classes, notes)


def _labelled(classes: dict[str, list[str]]) -> tuple[Images, tuple[str, ...]]:
    """Return the images of all classes, labelled by the position of their class."""
    paths = [path for files in classes.values() for path in files]
    counts = torch.tensor([len(files) for files in classes.values()])
    labels = torch.arange(len(classes)).repeat_interleave(counts)
    return Images(EncodedImages(paths), labels), tuple(classes)
