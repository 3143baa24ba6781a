"""Which names in a folder are of images, and which are not of data at all.

>>> is_image(Path("a.JPG")), is_image(Path("a.txt")), is_hidden("__MACOSX"), is_hidden("._a.png")
(True, False, True, True)
"""

from pathlib import Path

# Of unpacked archives, Python, notebooks, and disks: deleted files and thumbnails.
_NO_DATA = {
    *("__macosx", "__pycache__", "checkpoints", "desktop.ini", "lost+found", "thumbs.db"),
    *("$recycle.bin", "system volume information", "#recycle", "@recycle", "@eadir"),
}
# Formats that Pillow only recognizes, or that need another program.
_NOT_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or a program has put it next to the data."""
    return name.startswith(".") or name.lower() in _NO_DATA


def is_image(path: Path) -> bool:
    """Return whether a suffix is that of an image format which Pillow decodes."""
    from PIL import Image

    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower())
    return kind in Image.OPEN and kind not in _NOT_PIXELS


def files_in(folder: Path) -> list[Path]:
    """Return the files directly in a folder that are not hidden, in order."""
    return [path for path in sorted(folder.iterdir()) if not path.is_dir() and not is_hidden(path.name)]
