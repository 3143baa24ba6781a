"""What is finished of a sweep while it is disturbed, and whether the end is that of a sweep never cut.

>>> ledger = Ledger(Path("outputs/soak/1/outputs/tiny/runs"))  # doctest: +SKIP
>>> ledger.look(); ledger.lost  # doctest: +SKIP
[]
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from soaking.sweep import FINISHED

RESULT = "result.json"
# What differs between two computations of the same run.
VOLATILE = {
    *("started", "finished", "train_seconds", "continued_after", "host", "commit"),
    *("files_sha256", "record_sha256"),
}
EQUAL_FILES = (
    "model.safetensors",
    "test_predictions.npy",
    "test_labels.npy",
    "test_logits.npy",
    "metrics.jsonl",
    "config.json",
)


class Ledger:
    """Notes finished runs as they appear.

    Attributes:
        lost: runs whose record was finished once, and later was missing or another one.
    """

    def __init__(self, sweep: Path) -> None:
        self._sweep = sweep
        self._seen: dict[str, str] = {}
        self.lost: list[str] = []

    def look(self) -> int:
        """Compare what is there with what was there before; returns the number of finished runs."""
        now = {run: _digest(self._sweep / run / RESULT) for run in finished_runs(self._sweep)}
        self.lost += [run for run, digest in self._seen.items() if now.get(run) != digest]
        self._seen = now
        return len(now)


def finished_runs(sweep: Path) -> list[str]:
    """Return the finished runs of a sweep, relative to its folder."""
    return sorted(str(path.parent.relative_to(sweep)) for path in sweep.glob(f"*/n*/s?/{RESULT}"))


def done_twice(logs: Iterable[Path]) -> list[str]:
    """Return the runs that processes reported to have trained to the end more than once."""
    trained = Counter(run for log in logs for run in FINISHED.findall(log.read_text()))
    return [run for run, times in trained.items() if times > 1]


def differences(sweep: Path, uncut: Path) -> list[str]:
    """Return in what the runs of a sweep differ from those of one that was never cut; nothing is rounded."""
    runs, expected = finished_runs(sweep), finished_runs(uncut)
    found = [f"{run} is missing" for run in expected if run not in runs]
    for run in runs:
        one, other = sweep / run, uncut / run
        found += [
            f"{run}/{name} differs"
            for name in EQUAL_FILES
            if (one / name).read_bytes() != (other / name).read_bytes()
        ]
        left, right = (json.loads((folder / RESULT).read_text()) for folder in (one, other))
        names = (left.keys() | right.keys()) - VOLATILE
        found += [f"{run}: {name} differs" for name in sorted(names) if left.get(name) != right.get(name)]
    return found


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
