"""Where a folder has its splits, classes and images, and what in it is not data.

>>> split_of("Training_Set"), split_of("valid"), split_of("cats")
('train', 'val', None)
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from vision.data.report import Report, named
from vision.data.sources.allowed_folders import AllowedFolders

SPLITS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
EXPECTED = "expected ROOT/train/CLASS/*.png with ROOT/test or ROOT/val, or ROOT/CLASS/*.png: docs/data.md"
_SUFFIX = re.compile(r"[ _-]?(set|split|data|images|imgs)$")
_NO_DATA = {
    *("__macosx", "__pycache__", "checkpoints", "desktop.ini", "lost+found", "thumbs.db"),
    *(
        "$recycle.bin",
        "system volume information",
        "@eadir",
        "#recycle",
        "@recycle",
    ),  # Windows, network disks
}
# Formats that Pillow only recognizes, or that need another program.
_NOT_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}
HIDDEN, OTHER, EMPTY, STRAY, LOOPS = (
    "hidden files or folders",
    "files that are not images",
    "empty class folders",
    "images outside class folders",
    "links that lead back",
)


class Folder:
    """A folder of images, and the report of what in it is left out.

    Args:
        root: the folder.
        named: what messages call it, such as data.root='photos'.
        inside: where its files must be; None is the folder itself.
    """

    def __init__(self, root: Path, named: str, inside: AllowedFolders | None = None) -> None:
        self.root, self.named, self.report = root, named, Report()
        self._inside = inside or AllowedFolders(root)
        self._owners: dict[str, Path] = {}  # the folder of a class for each folder in it, links followed

    def splits(self) -> dict[str, Path]:
        """Return the folders of the splits, by train, val and test; none if the folder has only classes.

        Raises:
            ValueError: the layout is not one of those in `EXPECTED`.
        """
        folder = self._unpacked(self.root)
        folders = self._folders(folder)
        found: dict[str, Path] = {}
        for path in folders:
            split = split_of(path.name)
            if split is not None and split in found:
                self._refuse(f"two folders for one split, {found[split].name} and {path.name}")
            if split is not None:
                found[split] = path
        if not found:
            self.root = folder
            self._check_classes(folders)
            return {}
        others = [path for path in folders if path not in found.values()]
        if full := [path.name for path in others if next(self._images(path), None)]:
            splits = ", ".join(path.name for path in found.values())
            self._refuse(f"the splits {splits} next to other folders with images: {named(full)}")
        if "train" not in found:
            self._refuse(
                f"the splits {', '.join(path.name for path in found.values())}, but none to train on"
            )
        return found

    def classes(self, folder: Path) -> dict[str, list[str]]:
        """Return the paths of the images of each class, classes and paths in order.

        Raises:
            FileNotFoundError: no folder in `folder` holds an image.
        """
        folder = self._unpacked(folder) if folder != self.root else folder
        classes: dict[str, list[str]] = {}
        folders = self._folders(folder)
        for path in folders:
            name = unicodedata.normalize("NFC", path.name)
            classes.setdefault(name, []).extend(self._images(path, note=True))
        stray = [path for path in _files(folder) if _is_image(path)]
        if not any(classes.values()):
            kinds = Counter(Path(name).suffix or "no suffix" for name in self.report.skipped.get(OTHER, ()))
            rest = f", and {sum(kinds.values())} files of other kinds ({named(list(kinds))})" if kinds else ""
            found = f"{len(stray):,} images outside of them" if stray else "no image"
            raise FileNotFoundError(
                f"{self.named} must have one folder of images per class in {folder}, found "
                f"{len(folders)} folders and {found}{rest}; {EXPECTED}"
            )
        self._skip(STRAY, stray)
        self._skip(EMPTY, [path for path in folders if not classes[unicodedata.normalize("NFC", path.name)]])
        self._note_joined(folders)
        return {name: paths for name, paths in sorted(classes.items()) if paths}

    def _unpacked(self, folder: Path) -> Path:
        """Return the only folder in `folder`, as archives are unpacked, if that holds folders alone."""
        folders = self._folders(folder)
        if len(folders) != 1 or any(map(_is_image, _files(folder))):
            return folder
        inner = folders[0]
        if split_of(inner.name) and not split_of(folder.name):
            return folder
        return inner if self._folders(inner) and not any(map(_is_image, _files(inner))) else folder

    def _check_classes(self, folders: Iterable[Path]) -> None:
        """Refuse splits inside of classes, and folders that hold the classes of several parts."""
        inside = {path: self._folders(path) for path in folders}
        for path, inner in inside.items():
            if splits := [one.name for one in inner if split_of(one.name) and next(self._images(one), None)]:
                self._refuse(f"the splits {named(splits)} inside of the folder {path.name}")
        own = [path for path in inside if any(map(_is_image, _files(path)))]
        counts = Counter(one.name for inner in inside.values() for one in inner)
        shared = [name for name, count in counts.items() if count > 1]
        if shared and not own:
            parts = named([path.name for path in inside])
            self._refuse(f"folders of equal names ({named(shared)}) inside of {parts}, which may be splits")

    def _check_owner(self, real: str, folder: Path) -> None:
        """Refuse a folder that links make a part of two classes, or of two splits."""
        owner = self._owners.setdefault(real, folder)
        if owner != folder:
            two = (str(path.relative_to(self.root)) for path in (owner, folder))
            self._refuse(f"the folder {real} in two places, by a link: {' and '.join(two)}")

    def _note_joined(self, folders: Iterable[Path]) -> None:
        """Say which classes have no images but those of several folders inside of them."""
        inside = {path.name: self._folders(path) for path in folders if not any(map(_is_image, _files(path)))}
        joined = {name: inner for name, inner in inside.items() if len(inner) > 1}
        if joined:
            first, inner = next(iter(joined.items()))
            one = f"the folders in {named(list(joined))} are read as one class each"
            self.report = self.report.with_remarks(
                f"{one}, such as {named([i.name for i in inner])} in {first}"
            )

    def _folders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder that may hold data, in order."""
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        return [folder / name for name in names if not _is_hidden(name)]

    def _images(self, folder: Path, *, note: bool = False) -> Iterator[str]:
        """Yield the images at any depth, in torchvision's order; with `note`, report what else there is."""
        walked: list[tuple[str, list[str]]] = []
        seen = {str(path) for path in Path(os.path.realpath(folder)).parents}
        for here, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
            self._inside.check(here)
            if (real := os.path.realpath(here)) in seen:
                folders.clear()
                if note:
                    self._skip(LOOPS, [Path(here)])
                continue
            seen.add(real)
            if note:
                self._check_owner(real, folder)
                self._skip(HIDDEN, (Path(here, name) for name in (*folders, *files) if _is_hidden(name)))
            folders[:] = [name for name in folders if not _is_hidden(name)]
            walked.append((here, sorted(name for name in files if not _is_hidden(name))))
        for here, files in sorted(walked):
            for path in (os.path.join(here, name) for name in files if _is_image(Path(name))):
                self._inside.check_link(path)
                yield path
            if note:
                self._skip(OTHER, (Path(here, name) for name in files if not _is_image(Path(name))))

    def note_hidden(self, folder: Path) -> None:
        """Count what lies directly in a folder and is not data."""
        paths = sorted(folder.iterdir())
        self._skip(HIDDEN, (path for path in paths if _is_hidden(path.name)))
        self._skip(OTHER, (path for path in _files(folder) if not _is_image(path)))

    def _skip(self, reason: str, paths: Iterable[Path]) -> None:
        self.report = self.report.with_skipped(reason, [str(path.relative_to(self.root)) for path in paths])

    def _refuse(self, found: str) -> None:
        raise ValueError(f"{self.named} has {found}; {EXPECTED}")


def split_of(name: str) -> str | None:
    """Return train, val or test for a usual name of a split, in any case; None for other names."""
    word = _SUFFIX.sub("", name.strip().lower())
    return next((split for split, names in SPLITS.items() if word in names), None)


def _raise(error: OSError) -> None:
    raise error


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not path.is_dir() and not _is_hidden(path.name)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _NO_DATA


def _is_image(path: Path) -> bool:
    from PIL import Image

    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower())
    return kind in Image.OPEN and kind not in _NOT_PIXELS
