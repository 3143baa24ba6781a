"""What identifies a process: machine, boot, namespace, number and time of its start.

>>> this_process().is_alive()
True
"""

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What identifies a process.

    Attributes:
        host: name of the machine, for messages.
        boot: the kernel's id of this boot; empty on systems without one.
        namespace: the namespace of process numbers, which containers have one of each.
        pid: process number. It is used again after the process has ended.
        started: when the process started, as the kernel counts it.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: str

    def is_alive(self) -> bool | None:
        """Return whether the process runs; None if it is one of another machine or container.

        A zombie, or another process that has got the same number, does not count.
        """
        here = this_process()
        # Host names change and are shared, so one counts only where there is no boot id.
        kernel, own = ((p.boot or p.host, p.namespace) for p in (self, here))
        return _start(self.pid) == self.started if kernel == own else None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    """Return what identifies the calling process."""
    pid = os.getpid()
    return Process(
        host=socket.gethostname(),
        boot=_read("/proc/sys/kernel/random/boot_id"),
        namespace=_link("/proc/self/ns/pid"),
        pid=pid,
        started=_start(pid) or "",
    )


def _start(pid: int) -> str | None:
    """Return the start time of a process in the kernel's words; None if there is none, or a zombie."""
    if not Path("/proc/self/stat").exists():
        return _start_by_ps(pid)
    # The name, in parentheses, may contain anything; the state follows, and the start 19 fields later.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else None


def _start_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, started = subprocess.run(command, capture_output=True, text=True).stdout.strip().partition(" ")
    return started.strip() if state and state[0] not in "ZX" else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
