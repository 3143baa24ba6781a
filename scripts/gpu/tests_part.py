"""The CUDA tests: one process per file; one that dies is started again, without the test that it died in."""

import importlib.util
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gpu.events import LOG, STARTED, read_events
from gpu.log import Log
from gpu.process import ROOT, Clock, Process, python

AT_ONCE = 9
TEST_SECONDS = 100  # of one test
LONG = ("flex", "capture")
CRASHED = "crashed, hung or was cut off"
Row = dict[str, Any]


def find_tests() -> dict[str, Path]:
    """Return the files of tests/cuda by their names; those that compile most, and so take longest, first."""
    files = {file.stem.removeprefix("test_"): file for file in (ROOT / "tests" / "cuda").glob("test_*.py")}
    return dict(sorted(files.items(), key=lambda item: (not item[0].startswith(LONG), item)))


def run_tests(work: Path, clock: Clock, log: Log, *, device: str, chosen: list[str]) -> list[Row]:
    """Run files of tests/cuda on the device until the clock ends; one row per test."""
    files = [file for name, file in find_tests().items() if name in chosen]
    at_once = max(1, min(AT_ONCE, (os.cpu_count() or 1) // 2))
    with ThreadPoolExecutor(at_once) as pool:
        tasks = [pool.submit(_run_file, file, work, clock, log, device) for file in files]
        rows = [row for task in tasks for row in task.result()]
    counts = Counter(row["outcome"] for row in rows)
    log.say("tests", ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "none ran")
    return rows


def _run_file(file: Path, work: Path, clock: Clock, log: Log, device: str) -> list[Row]:
    record = work / f"{file.stem}.jsonl"
    marks = "cuda" if device == "cuda" else "not cuda"
    plugins = ("-p", "gpu.pytest_record", "-p", "no:cacheprovider")
    command = python("-m", "pytest", str(file), "-m", marks, *plugins)
    if importlib.util.find_spec("pytest_timeout"):
        command += [f"--timeout={TEST_SECONDS}", "--timeout-method=thread"]
    status, ending, before = -1, "no time left", -1
    env = {LOG: str(record), "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_COMPILE_THREADS": "4"}
    # Status 0 and 5: no test is left. Else, as long as tests were begun, others may be left after a crash.
    while status not in (0, 5) and len(read_events(record)) > before and clock.left > 0:
        before = len(read_events(record))
        process = Process(command, file.stem, log, env=env)
        status = process.wait(clock.left)
        ending = f"exit status {status}: {process.last_words}"
    rows = list(_outcomes(file, record))
    if not rows and status not in (0, 5):
        rows = [{"file": file.name, "test": "", "outcome": "not run", "seconds": None, "message": ending}]
    passed = sum(row["outcome"] == "passed" for row in rows)
    cut = "" if clock.left > 0 else ", time is up"
    log.say("tests", f"{file.name}: {passed} of {len(rows)} passed{cut}")
    return rows


def _outcomes(file: Path, record: Path) -> Iterator[Row]:
    found: dict[str, Row] = {}
    for event in read_events(record):
        name = event["test"].rpartition(file.name + "::")[2]
        if event["outcome"] == STARTED:
            blank: Row = {"outcome": CRASHED, "seconds": None, "message": ""}
            found[name] = {"file": file.name, "test": name, **blank}
        elif found[name]["outcome"] != "failed":  # a failure is not undone by what comes after it
            found[name] |= {key: event[key] for key in ("outcome", "seconds", "message")}
    yield from found.values()
