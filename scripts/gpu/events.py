"""What the pytest plugin writes and the tests' part reads: a JSON line when a test begins, one when it ends.

>>> read_events(Path("nowhere.jsonl"))
[]
"""

import json
from pathlib import Path
from typing import Any

LOG = "GPU_TEST_LOG"  # environment variable with the name of the file
STARTED = "started"


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return what the processes have written; a line that was cut off is left out."""
    events = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events
