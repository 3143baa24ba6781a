"""The files of a saved model: of a run, local-dir:FOLDER, hf-hub:NAME, or a file of weights alone.

>>> find_saved("outputs/demo/CNN/n1200/s0").weights.name  # doctest: +SKIP
'model.safetensors'
"""

import errno
import hashlib
import json
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vision.text import first_line

CONFIG, WEIGHTS = "config.json", "model.safetensors"
RESULT, FILES = "result.json", "files_sha256"  # the record of a run, and the checksums in it
FOLDER, HUB = "local-dir:", ("hf-hub:", "hf_hub:")
WEIGHT_FILES = (WEIGHTS, "pytorch_model.bin", "pytorch_model.pth", "model.pth")  # as timm looks for them
ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".tar")
KINDS = "the folder of a finished run, local-dir:FOLDER, hf-hub:NAME, or a .safetensors, .pth or .pt file"


@dataclass(frozen=True, slots=True)
class SavedFiles:
    """The files of a saved model.

    Attributes:
        weights: the file that holds the weights.
        config: timm's config.json next to it; None if the weights came without one.
    """

    weights: Path
    config: Path | None


def find_saved(name: str | Path) -> SavedFiles:
    """Return the files of a saved model; those on the Hugging Face Hub are downloaded unless they are cached.

    Args:
        name: the folder of a finished run, local-dir:FOLDER, hf-hub:NAME, or a file of weights.

    Raises:
        ValueError: there is no such folder or file, it has no weights, or those of a run were altered. Or the
            Hub has no such model.
    """
    name = str(name)
    if name.startswith(HUB):
        return _on_hub(name.partition(":")[2])
    path = Path(name.removeprefix(FOLDER))
    if path.is_file() and path.name.endswith(ENDINGS):
        config = path.with_name(CONFIG)
        return SavedFiles(path, config if config.is_file() and path.name in WEIGHT_FILES else None)
    if path.is_file():
        raise ValueError(f"{path} is not a file of weights: its name must end in {', '.join(ENDINGS[:3])}")
    if not path.is_dir():
        raise ValueError(f"{name} does not exist; give {KINDS}")
    return _in_folder(path)


def download(model: str, file: str) -> Path:
    """Return a file of NAME or NAME@REVISION on the Hugging Face Hub, downloaded unless it is cached."""
    import huggingface_hub

    name, _, revision = model.partition("@")
    hub: Any = huggingface_hub  # its types are partly unknown
    return Path(hub.hf_hub_download(name, file, revision=revision or None))


def check_regular(path: Path) -> None:
    """Raise an OSError if a path is a device or a pipe, which one could read forever, or if it is missing."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a folder raises an error of its own
        raise OSError(errno.EINVAL, "it is a device or a pipe", str(path))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    check_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """Return the same, computed again only if the size or the time of the file has changed."""
    state = path.stat()
    return _of_state(path.absolute(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _of_state(path: Path, size: int, changed: int) -> str:
    return sha256(path)


def _in_folder(folder: Path) -> SavedFiles:
    config = folder / CONFIG
    weights = next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), folder / WEIGHTS)
    for file in (config, weights):
        if not file.is_file():
            raise ValueError(
                f"{folder} holds no {file.name}; give the folder of a finished run, "
                "such as outputs/demo/CNN/n1200/s0"
            )
    _check_weights(weights)
    return SavedFiles(weights, config)


def _check_weights(weights: Path) -> None:
    """Compare the weights of a finished run with the checksum in its record; earlier versions had none."""
    result = weights.with_name(RESULT)
    if not result.exists():
        return
    try:
        check_regular(result)
        expected = json.loads(result.read_text()).get(FILES, {}).get(weights.name)
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{result} cannot be read, so the weights next to it cannot be checked; `vision verify` tells why"
        ) from error
    if expected is not None and known_sha256(weights) != expected:
        raise ValueError(
            f"{weights} was altered: its checksum is not the one in {RESULT}; "
            "retry_failed=true, given to the sweep's command, makes the run again"
        )


def _on_hub(name: str) -> SavedFiles:
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    try:
        config = download(name, CONFIG)
        for file in WEIGHT_FILES[:2]:
            try:
                return SavedFiles(download(name, file), config)
            except EntryNotFoundError:
                continue
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        reason = first_line(error)
        raise ValueError(
            f"hf-hub:{name} is neither on the Hugging Face Hub nor in its cache on this machine "
            f"({type(error).__name__}: {reason})"
        ) from error
    raise ValueError(f"hf-hub:{name} holds no {' or '.join(WEIGHT_FILES[:2])}")
