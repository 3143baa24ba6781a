"""Where commands write, checked before any work is done.

>>> check_folder("--out", Path("pyproject.toml/figures"))
Traceback (most recent call last):
ValueError: --out must be a folder, got pyproject.toml/figures, where ...pyproject.toml is a file
"""

from pathlib import Path

from vision import results


def check_file(option: str, file: Path) -> None:
    """Raise a ValueError if a file to write is a folder, or lies below an existing file."""
    if file.is_dir():
        raise ValueError(f"{option} must be a file, and {file} is a folder; give a name in it")
    existing = results.existing_path(file.absolute().parent)
    if not existing.is_dir():
        raise ValueError(f"{option} must be a file in a folder, got {file}, where {existing} is a file")


def check_folder(option: str, folder: Path) -> None:
    """Raise a ValueError if a folder, or a folder above it, is an existing file."""
    existing = results.existing_path(folder)
    if not existing.is_dir():
        where = "which" if existing == folder.absolute() else f"where {existing}"
        raise ValueError(f"{option} must be a folder, got {folder}, {where} is a file")
