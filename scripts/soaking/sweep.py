"""The sweep that is disturbed, and its processes, each perhaps on what looks like another machine.

>>> sweep = SweepProcess(Path("outputs/soak/1"), Path("outputs/soak/1.log"))  # doctest: +SKIP
>>> sweep.kill_group(signal.SIGKILL)  # doctest: +SKIP
"""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
SILENT_SECONDS = 8  # after which a host without a heartbeat counts as dead
SETTINGS = (
    *("debug=tiny", "model=vit,cnn", "model.kwargs.params=20000", "+model.kwargs.depth=1"),
    *("train_size=20,40", "seed=range(3)", "training.steps=300", "training.num_evaluations=5"),
    *("data.augment.crop_padding=1", "data.augment.mixup=0.2", "training.ema_decay=0.9"),
    *("training.threads=1", "training.device=cpu", "training.checkpoint_minutes=0.01", "retry_failed=true"),
)
RUNS = 12
SWEEP = Path("outputs/tiny/runs")
FINISHED = re.compile(r"^(\w+ n=\d+ seed=\d+): test accuracy .* after ", re.MULTILINE)


class SweepProcess:
    """One process of the sweep, in a process group of its own.

    Args:
        folder: where it runs.
        log: the file that gets its standard error.
        host: the name of the machine that it believes to be on; None for this one.
    """

    def __init__(self, folder: Path, log: Path, host: str | None = None) -> None:
        self.log = log
        command = [sys.executable, "-m", "vision", "train", "-m", *SETTINGS]
        variables = {
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "VISION_SILENT_SECONDS": str(SILENT_SECONDS),
        }
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [*(on_host(host) if host else []), *command],
                cwd=folder,
                env={**os.environ, **variables},
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def members(self) -> list[int]:
        """Return the process numbers of its group, which live on for a moment after the process itself."""
        return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if self._has(pid)]

    def kill_group(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def end(self) -> None:
        """Kill what is left of it."""
        for pid in self.members():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _has(self, pid: int) -> bool:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return False
        return int(fields[2]) == self._process.pid and fields[0] not in "ZX"


def on_host(name: str) -> list[str]:
    """Return the beginning of a command that runs the rest on what looks like another machine.

    It has a host name of its own, and process numbers that cannot be looked up from elsewhere.
    """
    command = f'hostname {name}; "$@"; exit $?'
    return ["unshare", "--uts", "--pid", "--fork", "--kill-child", "sh", "-c", command, "sh"]
