"""A pytest plugin that writes each test's outcome at once, so that a crash costs one test and not the rest.

Run with -p gpu.pytest_record and GPU_TEST_LOG=FILE. Tests that the file already names are left out. So the
same command, started again after a crash, goes on with the next test.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu.events import LOG, STARTED, read_events


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what an earlier process has begun."""
    begun = {event["test"] for event in read_events(Path(os.environ[LOG]))}
    left_out = [item for item in items if item.nodeid in begun]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid not in begun]


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note that a test begins."""
    _write({"test": nodeid, "outcome": STARTED})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note how a test ended; stop the process where the device no longer answers."""
    report: Any = yield
    if report.when == "call" or report.outcome != "passed":
        message = report.longreprtext[-1500:] if report.outcome != "passed" else ""
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            message = report.longrepr[2]
        _write(
            {
                "test": item.nodeid,
                "outcome": report.outcome,
                "seconds": round(report.duration, 3),
                "message": message,
            }
        )
    if report.outcome == "failed" and _device_is_broken():
        item.session.shouldstop = "the device does not answer after a failure"
    return report


def _write(event: dict[str, Any]) -> None:
    with Path(os.environ[LOG]).open("a") as file:
        file.write(json.dumps(event) + "\n")


def _device_is_broken() -> bool:
    import torch

    if not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False
