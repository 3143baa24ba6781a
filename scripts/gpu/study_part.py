"""The study: as many runs as the seconds allow, side by side in worker processes, most valuable first.

A run is begun only where it is expected to end in time: from the seconds per step of the runs before it.
"""

import json
import math
import queue
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpu.log import Log
from gpu.process import Clock, Process, python
from gpu.study_plan import Protocol, Run, Settings, search_runs, study_runs
from gpu.tables import read_runs, write_json

RECIPES = "recipes.json"
START_SECONDS = 20.0  # of a worker: imports, images, the device's context
MARGIN = 1.2
Answer = dict[str, Any]


@dataclass
class Costs:
    """Seconds per step of each model, learned from the runs that ended."""

    seen: dict[str, list[float]] = field(default_factory=dict)

    def expect(self, run: Run) -> float:
        """Return the seconds that a run will take, with a margin."""
        known = self.seen.get(_kind(run))
        return MARGIN * run.steps * (statistics.median(known) if known else run.step_seconds) + 1.0

    def note(self, run: Run, answer: Answer) -> None:
        """Learn from a run that was trained just now, not found finished."""
        if "error" not in answer and answer["wall"] >= 0.9 * answer["train_seconds"]:
            self.seen.setdefault(_kind(run), []).append(answer["train_seconds"] / answer["steps"])


@dataclass
class Study:
    """What all worker threads share.

    Attributes:
        common: settings of every run, such as data and device.
        outputs: where run folders are.
        clock: no run goes on beyond it.
        log: of all output.
        workers: processes at once.
        on_runs: called now and then with the number of runs done, so that they are kept.
    """

    common: tuple[str, ...]
    outputs: Path
    clock: Clock
    log: Log
    workers: int
    on_runs: Callable[[], object] = lambda: None
    costs: Costs = field(default_factory=Costs)
    done: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        self._lock, self._kept = threading.Lock(), time.monotonic()
        self._workers: dict[int, Worker] = {}

    def train(self, runs: list[Run]) -> None:
        """Train the runs that fit into the time, in order."""
        waiting = list(runs)
        with ThreadPoolExecutor(self.workers) as pool:
            tasks = [pool.submit(self._serve, number, waiting) for number in range(self.workers)]
            for task in tasks:
                task.result()
        if waiting:
            self.log.say("study", f"{len(waiting)} runs do not fit into the time and are left")

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.end()

    def _serve(self, number: int, waiting: list[Run]) -> None:
        """Let one worker train run after run; it is kept for the next call of `train`."""
        worker = self._workers.get(number)
        while (run := self._take(waiting, 0.0 if worker else START_SECONDS)) is not None:
            if worker is None or not worker.is_running:
                worker = self._workers[number] = Worker(number, self.log)
            limit = min(self.clock.left, 5 * self.costs.expect(run) + 120)
            self._note(run, worker.ask([*run.settings, *self.common], limit))

    def _take(self, waiting: list[Run], start: float) -> Run | None:
        with self._lock:
            fits = (run for run in waiting if self.costs.expect(run) + start < self.clock.left)
            run = next(fits, None)
            if run is not None:
                waiting.remove(run)
            return run

    def _note(self, run: Run, answer: Answer) -> None:
        with self._lock:
            self.costs.note(run, answer)
            self.failed += "error" in answer
            self.done += "error" not in answer
            if time.monotonic() - self._kept > 30:
                self._kept = time.monotonic()
                self.on_runs()
        figures = "test accuracy {test_accuracy:.3f}, {train_seconds:.1f} s"
        self.log.say("study", f"{run.name}: {answer.get('error') or figures.format(**answer)}")


class Worker:
    """A process that trains runs one after another; see study_worker.py."""

    def __init__(self, number: int, log: Log) -> None:
        self._answers: queue.Queue[str] = queue.Queue()
        command = python("-m", "gpu.study_worker")
        env = {"OMP_NUM_THREADS": "1"}
        self._process = Process(command, f"worker {number}", log, answers=self._answers.put, env=env)

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.is_running

    def ask(self, settings: list[str], seconds: float) -> Answer:
        """Train one run; where no answer comes in time, or the process ends, kill it and say so."""
        clock = Clock(seconds)
        self._process.tell(json.dumps(settings))
        while clock.left > 0:
            try:
                line = self._answers.get(timeout=0.2)
            except queue.Empty:
                if self.is_running or not self._answers.empty():
                    continue
                break
            if line.startswith("{"):
                return json.loads(line)
        why = "no answer in time" if self.is_running else "the process died"
        self._process.kill()
        return {"error": f"{why}: {self._process.last_words}"}

    def end(self) -> None:
        """End the process."""
        self._process.kill()


def run_study(
    study: Study, protocol: Protocol, *, data: str, recipes: dict[str, Settings] | None = None
) -> dict[str, Any]:
    """Search a recipe for each model that has none, then train; return how far the study is."""
    try:
        return _search_and_train(study, protocol, data, recipes)
    finally:
        study.close()


def _search_and_train(
    study: Study, protocol: Protocol, data: str, recipes: dict[str, Settings] | None
) -> dict[str, Any]:
    file = study.outputs / RECIPES
    known = recipes or (json.loads(file.read_text()) if file.exists() else {})
    missing = [model for model in protocol.models if model not in known]
    if missing:
        study.train(search_runs(protocol, missing, data=data))
        best = {model: _best(study.outputs, protocol, model, data) for model in missing}
        known |= {model: recipe for model, recipe in best.items() if recipe}
    study.outputs.mkdir(parents=True, exist_ok=True)
    write_json(file, known)
    recipes = {model: known[model] for model in protocol.models if model in known}
    runs = study_runs(protocol, recipes, data=data)
    study.train(runs)
    finished = [row for row in read_runs(study.outputs) if row.get("status") == "finished"]
    return {"planned": len(runs), "finished": len(finished), "failed": study.failed, "recipes": recipes}


def _best(outputs: Path, protocol: Protocol, model: str, data: str) -> Settings | None:
    """The grid's point of highest validation accuracy, where every point has been trained."""
    rows = read_runs(outputs / f"gpu-search-{data}" / model)
    rows = [row for row in rows if row.get("status") == "finished"]
    if len(rows) < math.prod(map(len, protocol.grid.values())):
        return None
    best = max(rows, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    return {name: float(best[name]) for name in protocol.grid}


def _kind(run: Run) -> str:
    return f"{run.sweep.partition('/')[0].replace('search', 'study')} {run.model}"
