"""The record of a failed run: why it failed, and with which versions.

>>> why_failed(Path("outputs/demo/ViT/n500/s0"))  # doctest: +SKIP
'NonFiniteLoss: the loss is nan at step 12, learning rate 0.1; a smaller training.lr may help'
"""

import traceback
from pathlib import Path

from vision.dynamic import JsonObject
from vision.provenance import now, provenance
from vision.results.files import FAILURE, read_json, write_json
from vision.text import type_and_text


class RunDied(RuntimeError):
    """The process of a run ended before the run did."""

    def __init__(self, exit_status: int, how: str) -> None:
        super().__init__(how)
        self.exit_status = exit_status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.exit_status, str(self))


class FailedBefore(RuntimeError):
    """The same run failed before, and was not asked for again."""

    def __init__(self, folder: Path, why: str) -> None:
        super().__init__(f"{folder} failed before: {why}; retry_failed=true runs it again")
        self._arguments = folder, why

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self._arguments


def write_failure(folder: Path, error: BaseException) -> None:
    """Write failure.json: error, traceback, and exit status, step and lr where the error has them."""
    details = {name: getattr(error, name) for name in ("exit_status", "step", "lr") if hasattr(error, name)}
    record = {
        "status": "failed",
        "error": type_and_text(error),
        **details,
        "time": now(),
        "traceback": "".join(traceback.format_exception(error)),
        **provenance(),
    }
    write_json(folder / FAILURE, record)


def read_failure(folder: Path) -> JsonObject:
    """Read the record of a failed run: error, traceback, and step and lr if training diverged."""
    return read_json(folder / FAILURE, "error")


def why_failed(folder: Path) -> str:
    """Return the error of a failed run, or what is wrong with the file that should contain it."""
    try:
        return str(read_failure(folder)["error"])
    except (ValueError, OSError) as error:
        return str(error)
