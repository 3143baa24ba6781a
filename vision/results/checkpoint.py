"""The state of a run that goes on, in a file that is either whole or not used.

>>> from tempfile import mkdtemp
>>> checkpoint = Checkpoint(Path(mkdtemp()) / "s0")
>>> checkpoint.write(b"state")
>>> list(checkpoint.read())
[b'state']
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CHECKPOINT = ".checkpoint"  # end of the name of the hidden folder next to the run's own


class Checkpoint:
    """The newest state of one run, and the one before it, next to the run's folder.

    Args:
        run: the run's folder, whether or not it exists.
    """

    def __init__(self, run: Path) -> None:
        self.folder = run.with_name(f".{run.name}{CHECKPOINT}")
        self._newest, self._before = self.folder / "state", self.folder / "state.before"

    def write(self, content: bytes) -> None:
        """Keep a state; the one before is kept until the new one is on the disk under its name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / "state.writing"
        with temporary.open("wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            self._newest.replace(self._before)
        temporary.replace(self._newest)

    def read(self) -> Iterator[bytes]:
        """Yield the states whose checksum is right, the newest first."""
        for path in (self._newest, self._before):
            with suppress(OSError):
                whole = path.read_bytes()
                digest, content = whole[:32], whole[32:]
                if hashlib.sha256(content).digest() == digest:
                    yield content

    def remove(self) -> None:
        """Remove all states."""
        shutil.rmtree(self.folder, ignore_errors=True)
