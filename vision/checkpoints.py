"""The state of a run that is kept while it goes on, so that a run that is cut continues.

>>> with RunCheckpoint(config, folder) as checkpoint:  # doctest: +SKIP
...     state = checkpoint.read()
...     fit(..., resume=state and state["training"], on_step=lambda t: checkpoint.keep_if_due(t, {}))
"""

import io
import os
import signal
import threading
import time
import warnings
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import torch

from vision.config import RunConfig
from vision.dynamic import JsonObject, StateDict
from vision.results import Checkpoint, fingerprint
from vision.training import Training

# Slurm's jobs get SIGUSR2 from submitit before they are preempted or reach their time limit.
NAMES = ("SIGTERM", "SIGUSR1", "SIGUSR2")
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))


class RunCheckpoint:
    """Keeps the state of one run every training.checkpoint_minutes, and when a signal comes.

    Inside its block, SIGUSR1 and SIGUSR2 have the state kept after the present step. So has SIGTERM, which
    then ends the process as it would have without this. A state that cannot be written is a warning: the run
    goes on.

    Args:
        config: of the run. The state of a run of another config is not read.
        run: the run's folder, whether or not it exists.
        keeps: whether this process keeps the state. Where several train the run, only the first does; the
            others train on when a signal comes, until the first has ended.
    """

    def __init__(self, config: RunConfig, run: Path, *, keeps: bool = True) -> None:
        self._keeps = keeps
        self._file, self._fingerprint = Checkpoint(run), fingerprint(config)
        minutes = config.training.checkpoint_minutes
        self._seconds = None if minutes is None else 60 * minutes
        self._kept_at = time.monotonic()
        self._signal_number: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "RunCheckpoint":
        if threading.current_thread() is threading.main_thread() and self._seconds is not None:
            self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def read(self) -> JsonObject | None:
        """Return the newest state that is whole and of this config: "training" and what else was kept."""
        for content in self._file.read():
            state: StateDict = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            if state["fingerprint"] == self._fingerprint:
                return state
        return None

    def keep_if_due(self, training: Training, others: StateDict) -> None:
        """Keep the state after a step, if it is time or a signal came.

        Args:
            training: its state is kept under "training".
            others: what else the run needs to continue: tensors, numbers, texts, lists and dicts of them.
        """
        late = self._seconds is not None and time.monotonic() - self._kept_at >= self._seconds
        if not self._keeps or (not late and self._signal_number is None):
            return
        self._kept_at = time.monotonic()
        self._keep({"training": training.state_dict(), "fingerprint": self._fingerprint, **others})
        signal_number, self._signal_number = self._signal_number, None
        if signal_number == signal.SIGTERM:
            self.__exit__(None, None, None)
            os.kill(os.getpid(), signal_number)

    def _keep(self, state: StateDict) -> None:
        content = io.BytesIO()
        torch.save(state, content)
        try:
            self._file.write(content.getvalue())
        except OSError as error:
            warnings.warn(
                f"the state of the run could not be kept in {self._file.folder}: {error.strerror}; "
                "the run goes on",
                stacklevel=2,
            )

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal_number = number
