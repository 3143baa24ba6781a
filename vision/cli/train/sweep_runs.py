"""The runs of a sweep while it goes on: which are finished, which failed, and which somebody else computes.

>>> runs = SweepRuns([SweepRun(["seed=0"], config)])  # doctest: +SKIP
>>> while ready := runs.wait_for_ready(): launch(ready)  # doctest: +SKIP
"""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vision import results
from vision.cli.stderr import tell
from vision.config import DataConfig, RunConfig

SECONDS_BETWEEN_LOOKS, SECONDS_TO_END = 0.5, 3.0
SECONDS_BETWEEN_LINES = 60.0
MOST_LAUNCHES = 3  # of one run, if it ends without a result and without a failure
FinishedData = tuple[DataConfig, str, str]  # of a finished run: data, their fingerprint, and its folder


class SweepRun:
    """One run of a sweep, with the overrides from which Hydra composes it."""

    def __init__(self, overrides: Sequence[str], config: RunConfig) -> None:
        self.overrides, self.config = overrides, config
        self.folder = results.run_folder(config)
        self.is_done = False  # finished, failed, damaged, or given up
        self.damage = ""  # what is wrong with its record, if it is finished
        self.work = 0.0  # multiply-adds of the training, once it is known
        self.data_fingerprint = ""  # of the images with which it was finished


class SweepRuns:
    """All runs of a sweep.

    Attributes:
        all: each run once.
        failed_before: how many failed before, or are damaged, and are not run again.

    Raises:
        ConfigMismatch: a folder holds a finished run of another config.
    """

    def __init__(self, runs: Sequence[SweepRun]) -> None:
        self.all = list(runs)
        self.failed_before = 0
        self._launches = Counter[Path]()
        self._watch = results.Watch()
        self._why_stopped = ""
        for run in self.all:
            if run.config.retry_failed:
                for problem in results.set_aside_damaged(run.folder):
                    tell(f"run again: {problem}")
            finished = self._load(run)
            failed = not finished and not run.config.retry_failed and self._has_failed(run)
            failed = failed or bool(run.damage)
            run.is_done = finished or failed
            self.failed_before += failed

    @property
    def finished(self) -> int:
        """How many are finished, whoever did them."""
        return sum(self._is_finished(run) for run in self.all)

    def finished_data(self) -> list[FinishedData]:
        """Return the data, their fingerprint and one folder of finished runs, each data set once."""
        finished = {
            (repr(run.config.data), run.data_fingerprint): run for run in self.all if run.data_fingerprint
        }
        return [(run.config.data, run.data_fingerprint, str(run.folder)) for run in finished.values()]

    def to_do(self) -> list[SweepRun]:
        """Return the runs that are neither finished nor failed."""
        return [run for run in self.all if not run.is_done]

    def write_plan(self) -> None:
        """Write the plan of each sweep's folder."""
        sweeps: dict[Path, list[Path]] = {}
        for run in self.all:
            sweeps.setdefault(Path(run.config.output_dir) / run.config.sweep, []).append(run.folder)
        work = {run.folder: run.work for run in self.to_do()}
        for sweep, folders in sweeps.items():
            here = {folder: work[folder] for folder in folders if folder in work}
            results.write_plan(sweep, folders, whole=True, work=here)

    def stop(self, why: str) -> None:
        """Launch no further run."""
        self._why_stopped = why

    def wait_for_ready(self) -> list[SweepRun]:
        """Return runs to launch, first those from whose weights others start; empty at the end.

        Waits while other processes compute all that are left.
        """
        last_line = time.monotonic() - SECONDS_BETWEEN_LINES
        while not self._why_stopped:
            for run in self.to_do():
                run.is_done = self._is_done(run)
            left = self.to_do()
            folders = {run.folder for run in left}
            ready = [run for run in left if not self._needs_other(run, folders) and self._take_over(run)]
            if ready or not left:
                self._launches.update(run.folder for run in ready)
                return ready
            if time.monotonic() - last_line >= SECONDS_BETWEEN_LINES:
                last_line = time.monotonic()
                tell(f"waiting for {len(left)} runs: {self._holder(left[0])}")
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return []

    def clear_up(self) -> None:
        """Remove what the launcher's processes have left, which end within moments of an interrupt."""
        deadline = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < deadline:
            left = [run.folder for run in self.to_do() if results.attempts(run.folder)]
            if not left:
                break
            for folder in left:
                with suppress(results.RunInProgress, results.DiskFull, OSError), results.claim_run(folder):
                    pass
            time.sleep(0.1)

    def unfinished(self) -> list[str]:
        """Return a line for each run that is not finished, with the reason."""
        lines = [f"vision train: stopped: {self._why_stopped}"] if self._why_stopped else []
        for run in self.all:
            if self._is_finished(run):
                continue
            if run.damage:
                lines.append(f"damaged: {run.damage}; retry_failed=true runs it again")
            elif self._has_failed(run):
                lines.append(f"failed: {run.folder}: {results.why_failed(run.folder)}")
            elif not self._why_stopped:
                lines.append(f"missing: {run.folder}: it ended without a result; the same command retries it")
        return lines

    def _load(self, run: SweepRun) -> bool:
        """Note what is known of a run, and return whether it is finished and sound."""
        try:
            record = results.load_finished(run.folder, run.config)
        except results.ConfigMismatch:
            raise
        except ValueError as error:
            run.damage = str(error)
            return False
        run.data_fingerprint = str(record.get("data_fingerprint", "")) if record else ""
        return record is not None

    def _is_finished(self, run: SweepRun) -> bool:
        return (run.folder / results.RESULT).exists() and not run.damage

    def _is_done(self, run: SweepRun) -> bool:
        launched = self._launches[run.folder]
        failed = (launched or not run.config.retry_failed) and self._has_failed(run)
        given_up = launched >= MOST_LAUNCHES and not self._is_held(run)
        return (run.folder / results.RESULT).exists() or failed or given_up

    def _has_failed(self, run: SweepRun) -> bool:
        return results.load_failed(run.folder, run.config) is not None

    def _is_held(self, run: SweepRun) -> bool:
        attempts = results.attempts(run.folder)
        return any(not self._watch.is_dead(attempt) for attempt in attempts)

    def _needs_other(self, run: SweepRun, left: set[Path]) -> bool:
        """Return whether a run starts with the weights of another one that is still to be done."""
        start = run.config.model.init_from
        return start is not None and Path(start) in left - {run.folder}

    def _take_over(self, run: SweepRun) -> bool:
        """Remove what dead processes left of a run; returns whether nobody computes it.

        This sweep has watched those of other machines. The process that gets the run has not.
        """
        if self._is_held(run):
            return False
        try:
            if results.attempts(run.folder):
                results.adopt_finished(run.folder, self._watch)
                with results.claim_run(run.folder, self._watch):
                    pass
        except results.RunInProgress:
            return False
        except (OSError, results.DiskFull):  # which the run will report
            pass
        return True

    def _holder(self, run: SweepRun) -> str:
        attempts = results.attempts(run.folder)
        return results.in_progress(run.folder, attempts[-1]) if attempts else str(run.folder)
