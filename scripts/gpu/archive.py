"""Run folders in one archive, without weights, and back again.

>>> pack(Path("outputs"), Path("runs.tar.gz"))  # doctest: +SKIP
12
"""

import tarfile
from pathlib import Path

WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")
PARTIAL = ".partial-"  # part of the name of a run's folder while it is trained


def pack(outputs: Path, archive: Path) -> int:
    """Write all but weights and unfinished runs below `outputs` into a .tar.gz; return the number of runs."""
    files = [file for file in sorted(outputs.rglob("*")) if _is_kept(file, outputs)]
    unfinished = archive.with_name(f".{archive.name}.part")
    with tarfile.open(unfinished, "w:gz") as tar:
        for file in files:
            tar.add(file, file.relative_to(outputs), recursive=False)
    unfinished.replace(archive)
    return sum(file.name == "result.json" for file in files)


def unpack(archive: Path, outputs: Path) -> int:
    """Bring the runs of an archive back; return their number.

    Raises:
        ValueError: it is not such an archive.
    """
    outputs.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(outputs, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise ValueError(f"--resume {archive} must be the runs.tar.gz of an earlier call: {error}") from error
    return sum(1 for _ in outputs.rglob("result.json"))


def _is_kept(file: Path, outputs: Path) -> bool:
    inside = file.relative_to(outputs)
    return file.is_file() and file.suffix not in WEIGHTS and not any(PARTIAL in part for part in inside.parts)
