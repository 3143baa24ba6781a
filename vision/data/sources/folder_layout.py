"""Where a folder has its splits, classes and images, and what in it is not data.

>>> Folder(Path("photos"), "data.root='photos'").splits()  # doctest: +SKIP
{'train': PosixPath('photos/train'), 'test': PosixPath('photos/test')}
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from vision.data.notes import Notes, named
from vision.data.sources.allowed_folders import AllowedFolders
from vision.data.sources.image_files import files_in, is_hidden, is_image
from vision.data.sources.split_names import split_in, split_of

EXPECTED = "expected ROOT/train/CLASS/*.png with ROOT/test or ROOT/val, or ROOT/CLASS/*.png: docs/data.md"
HIDDEN, OTHER, EMPTY, STRAY, LOOPS = (
    "hidden files or folders",
    "files that are not images",
    "empty class folders",
    "images outside class folders",
    "links that lead back",
)


class Folder:
    """A folder of images, and the notes on what in it is left out.

    Args:
        root: the folder.
        named: what messages call it, such as data.root='photos'.
        inside: where its files must be; None is the folder itself.
    """

    def __init__(self, root: Path, named: str, inside: AllowedFolders | None = None) -> None:
        self.root, self.named, self.notes = root, named, Notes()
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
        stray = [path for path in files_in(folder) if is_image(path)]
        if not any(classes.values()):
            kinds = Counter(Path(name).suffix or "no suffix" for name in self.notes.skipped.get(OTHER, ()))
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
        if len(folders) != 1 or any(map(is_image, files_in(folder))):
            return folder
        inner = folders[0]
        if split_of(inner.name) and not split_of(folder.name):
            return folder
        return inner if self._folders(inner) and not any(map(is_image, files_in(inner))) else folder

    def _check_classes(self, folders: Iterable[Path]) -> None:
        """Refuse splits inside of classes, and folders that hold the classes of several parts."""
        self._check_names(path.name for path in folders)
        inside = {path: self._folders(path) for path in folders}
        for path, inner in inside.items():
            if splits := [one.name for one in inner if split_of(one.name) and next(self._images(one), None)]:
                self._refuse(f"the splits {named(splits)} inside of the folder {path.name}")
        own = [path for path in inside if any(map(is_image, files_in(path)))]
        counts = Counter(one.name for inner in inside.values() for one in inner)
        shared = [name for name, count in counts.items() if count > 1]
        if shared and not own:
            parts = named([path.name for path in inside])
            self._refuse(f"folders of equal names ({named(shared)}) inside of {parts}, which may be splits")

    def _check_names(self, names: Iterable[str]) -> None:
        """Refuse names that differ only in the word of a split, such as cats_train and cats_test."""
        splits: dict[str, dict[str, str]] = {}
        for name in names:
            if found := split_in(name):
                split, others = found
                splits.setdefault(others, {})[split] = name
        if alike := [name for one in splits.values() if len(one) > 1 for name in one.values()]:
            self._refuse(f"folders whose names tell of splits: {named(sorted(alike))}")

    def _check_owner(self, real: str, folder: Path) -> None:
        """Refuse a folder that links make a part of two classes, or of two splits."""
        owner = self._owners.setdefault(real, folder)
        if owner != folder:
            two = (str(path.relative_to(self.root)) for path in (owner, folder))
            self._refuse(f"the folder {real} in two places, by a link: {' and '.join(two)}")

    def _note_joined(self, folders: Iterable[Path]) -> None:
        """Say which classes have no images but those of several folders inside of them."""
        without = [path for path in folders if not any(map(is_image, files_in(path)))]
        joined = {path.name: inner for path in without if len(inner := self._folders(path)) > 1}
        if joined:
            first, inner = next(iter(joined.items()))
            one = f"the folders in {named(list(joined))} are read as one class each"
            self.notes = self.notes.with_remarks(
                f"{one}, such as {named([i.name for i in inner])} in {first}"
            )

    def _folders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder that may hold data, in order."""
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _is_folder(entry))
        return [folder / name for name in names if not is_hidden(name)]

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
                self._skip(HIDDEN, (Path(here, name) for name in (*folders, *files) if is_hidden(name)))
            folders[:] = [name for name in folders if not is_hidden(name)]
            walked.append((here, sorted(name for name in files if not is_hidden(name))))
        for here, files in sorted(walked):
            for path in (os.path.join(here, name) for name in files if is_image(Path(name))):
                self._inside.check_link(path)
                yield path
            if note:
                self._skip(OTHER, (Path(here, name) for name in files if not is_image(Path(name))))

    def note_hidden(self, folder: Path) -> None:
        """Count what lies directly in a folder and is not data."""
        paths = sorted(folder.iterdir())
        self._skip(HIDDEN, (path for path in paths if is_hidden(path.name)))
        self._skip(OTHER, (path for path in files_in(folder) if not is_image(path)))

    def _skip(self, reason: str, paths: Iterable[Path]) -> None:
        self.notes = self.notes.with_skipped(reason, [str(path.relative_to(self.root)) for path in paths])

    def _refuse(self, found: str) -> None:
        raise ValueError(f"{self.named} has {found}; {EXPECTED}")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one; links in a circle are not."""
    try:
        return entry.is_dir()
    except OSError:  # as os.walk does
        return False


def _raise(error: OSError) -> None:
    raise error
