"""What a user may name as the folder of a sweep.

>>> check_sweep_folder(Path("nowhere"))  # doctest: +ELLIPSIS
Traceback (most recent call last):
FileNotFoundError: ...nowhere is not a folder; give the folder of a sweep, such as outputs/NAME
"""

from pathlib import Path

from vision.results.files import RESULT


def check_sweep_folder(folder: Path) -> None:
    """Refuse what is not a folder, and the folder of one run.

    Raises:
        FileNotFoundError: with what to give instead.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder.absolute()} is not a folder; give the folder of a sweep, such as outputs/NAME"
        )
    if (folder / RESULT).is_file():
        *_, sweep = folder.absolute().parents[:3]  # SWEEP/MODEL/nTRAIN_SIZE/sSEED
        raise FileNotFoundError(f"{folder.absolute()} is one run; give the folder of its sweep, {sweep}")
