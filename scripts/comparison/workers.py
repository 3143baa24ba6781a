"""Runs side by side in worker processes, in order, each begun only where it is expected to end in time.

What a run takes is learned from the runs before it.
"""

import json
import queue
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from gpu.log import Log
from gpu.process import Clock, Process, python

from comparison.plan import Run

START_SECONDS = 20.0  # of a worker: imports, images, the device's context
KEEP_SECONDS = 30.0  # between two calls of on_runs
MARGIN = 1.2
Answer = dict[str, Any]


@dataclass
class Costs:
    """How much longer than guessed the runs of each model take, learned from those that ended.

    Attributes:
        first_guess: the factor where no run has ended: 1 on one core of a CPU.
        seen: the factors of each model.
        here: models of which a run has ended on this machine.
    """

    first_guess: float = 1.0
    seen: dict[str, list[float]] = field(default_factory=dict)
    here: set[str] = field(default_factory=set)

    def expect(self, run: Run) -> float:
        """Return the seconds that a run will take, with a margin."""
        if known := self.seen.get(_kind(run)):
            factor = statistics.median(known)
        else:
            factor = max(map(statistics.median, self.seen.values()), default=self.first_guess)
        return MARGIN * run.seconds * factor + 1.0

    def limit(self, run: Run) -> float:
        """Return the seconds after which a run counts as stuck."""
        return 5 * self.expect(run) + 120 if _kind(run) in self.here else float("inf")

    def learn(self, run: Run, seconds: float) -> None:
        """Learn from a run of an earlier call."""
        self.seen.setdefault(_kind(run), []).append(seconds / run.seconds)

    def note(self, run: Run, answer: Answer) -> None:
        """Learn from a run that was trained just now, not found finished."""
        if "error" not in answer and answer["wall"] >= 0.9 * answer["train_seconds"]:
            self.here.add(_kind(run))
            self.learn(run, answer["train_seconds"])


@dataclass
class Workers:
    """Worker processes, kept from one call of `train` to the next.

    Attributes:
        common: settings of every run, such as data and device.
        clock: no run goes on beyond it.
        log: of all output.
        count: processes at once.
        costs: what runs are expected to take.
        on_runs: called now and then, after a run has ended.
    """

    common: tuple[str, ...]
    clock: Clock
    log: Log
    count: int
    costs: Costs
    on_runs: Callable[[], object] = lambda: None
    done: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        self._lock, self._kept = threading.Lock(), time.monotonic()
        self._workers: dict[int, Worker] = {}

    def train(self, runs: Sequence[Run]) -> bool:
        """Train the runs that fit into the time, in order; return whether all did."""
        waiting = list(runs)
        with ThreadPoolExecutor(self.count) as pool:
            tasks = [pool.submit(self._serve, number, waiting) for number in range(self.count)]
            for task in tasks:
                task.result()
        self.on_runs()
        if waiting:
            self.log.say("study", f"{len(waiting)} runs do not fit into the time and are left")
        return not waiting

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.end()

    def _serve(self, number: int, waiting: list[Run]) -> None:
        """Let one worker train run after run."""
        worker = self._workers.get(number)
        while (run := self._take(waiting, 0.0 if worker else START_SECONDS)) is not None:
            if worker is None or not worker.is_running:
                worker = self._workers[number] = Worker(number, self.log)
            limit = min(self.clock.left, self.costs.limit(run))
            self._note(run, worker.ask([*run.overrides, *self.common], limit))

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
            if time.monotonic() - self._kept > KEEP_SECONDS:
                self._kept = time.monotonic()
                self.on_runs()
        kind = "test" if answer.get("val_accuracy") is None else "val"
        figures = f"{kind} accuracy {{{kind}_accuracy:.3f}}, {{train_seconds:.1f}} s"
        self.log.say("study", f"{run.name}: {answer.get('error') or figures.format(**answer)}")


class Worker:
    """A process that trains runs one after another; see worker_process.py."""

    def __init__(self, number: int, log: Log) -> None:
        self._answers: queue.Queue[str] = queue.Queue()
        command = python("-m", "comparison.worker_process")
        env = {"OMP_NUM_THREADS": "1"}
        self._process = Process(command, f"worker {number}", log, answers=self._answers.put, env=env)

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.is_running

    def ask(self, settings: Sequence[str], seconds: float) -> Answer:
        """Train one run; where no answer comes in time, or the process ends, kill it and say so."""
        clock = Clock(seconds)
        self._process.tell(json.dumps(list(settings)))
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


def _kind(run: Run) -> str:
    return f"{run.block} {run.model}"
