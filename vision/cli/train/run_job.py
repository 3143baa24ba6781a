"""One run of `vision train`, in this process or in a worker, and what the user sees of it.

>>> run_here(config, Progress(config))  # doctest: +SKIP
"""

import os
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from vision import results
from vision.cli.imports import without_garbage_collection
from vision.cli.stderr import tell
from vision.cli.train.progress import Progress
from vision.cli.train.worker import INTERRUPTED, CallFailed, Worker, shared_worker
from vision.config import DataConfig, RunConfig
from vision.dynamic import JsonObject
from vision.text import type_and_text

SECONDS_BETWEEN_LOOKS = 1.0


def check_runs(
    configs: Sequence[RunConfig],
    finished: Sequence[tuple[DataConfig, str, str]] = (),
    chosen_by: str = "",
    trains: bool = True,
) -> list[float]:
    """Check runs with their data and models; returns the multiply-adds of the training of each.

    Args:
        configs: of the runs.
        finished, chosen_by, trains: as in `vision.checks.check_together`.
    """
    with without_garbage_collection():
        from vision.checks import check_together

    return [
        estimate.work for estimate in check_together(configs, finished, chosen_by=chosen_by, trains=trains)
    ]


def compute(config: RunConfig, on_progress: Callable[[JsonObject], None]) -> JsonObject:
    """Compute a run, as `vision.experiment.run`; here so that a caller need not import torch."""
    with without_garbage_collection():
        from vision.experiment import run

    return run(config, on_progress)


def run_here(config: RunConfig, progress: Progress) -> int:
    """Run in this process; returns the exit status."""
    watch, announced = results.Watch(), False
    while True:
        try:
            progress.finish(compute(config, progress))
            return 0
        except results.RunInProgress as error:
            if not announced:
                announced = True
                progress.line(f"waiting: {error}")
            time.sleep(SECONDS_BETWEEN_LOOKS)
            _take_over(config, watch)
        except (results.FailedBefore, results.DiskFull) as error:
            progress.line(str(error))
            return 1
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            progress.fail(type_and_text(error))
            _debug("".join(traceback.format_exception(error)))
            return 1


def run_in_worker(config: RunConfig, progress: Progress) -> str:
    """Run in the worker of this process; a run that ends the worker is recorded as failed.

    Returns:
        A sentence if the disk is full, so that the sweep has to stop; otherwise nothing.
    """
    worker = shared_worker()
    try:
        progress.finish(worker.call(compute, config, on_progress=progress))
    except (KeyboardInterrupt, SystemExit):
        _discard(config)
        raise
    except results.RunDied as died:
        return _record_death(config, progress, died)
    except results.RunInProgress as error:
        progress.line(f"left to another process: {error}")
    except results.FailedBefore:
        progress.line("failed before, perhaps in another process")
    except results.DiskFull as error:
        progress.line(str(error))
        return str(error)
    except (CallFailed, ValueError, OSError) as error:
        progress.fail(str(error) if isinstance(error, CallFailed) else f"{type(error).__name__}: {error}")
        _debug(error.details if isinstance(error, CallFailed) else "")
    finally:
        _end_if_it_holds(worker, results.run_folder(config))
    return ""


def _end_if_it_holds(worker: Worker, folder: Path) -> None:
    """End a worker that has left an attempt behind, which would count as alive for as long as it lives."""
    holders = [results.read_holder(attempt) for attempt in results.attempts(folder)]
    if any(holder and holder.pid == worker.pid and holder.is_alive() for holder in holders):
        worker.close()


def _record_death(config: RunConfig, progress: Progress, died: results.RunDied) -> str:
    if died.exit_status in INTERRUPTED:
        progress.line(f"interrupted: {died}; the same command runs it again")
        _discard(config)
        return ""
    try:
        with results.atomic_run_folder(results.run_folder(config), config):
            raise died
    except results.RunInProgress as error:
        progress.line(f"left to another process: {error}")
    except results.DiskFull as error:
        progress.line(str(error))
        return str(error)
    except results.RunDied:
        progress.fail(f"RunDied: {died}")
    return ""


def _discard(config: RunConfig) -> None:
    """Remove what an interrupted run of this process has left."""
    try:
        with results.claim_run(results.run_folder(config)):
            pass
    except (results.RunInProgress, results.DiskFull, OSError):
        pass


def _take_over(config: RunConfig, watch: results.Watch) -> None:
    """Remove the attempts of another machine whose heartbeat stands still."""
    try:
        with results.claim_run(results.run_folder(config), watch):
            pass
    except (results.RunInProgress, results.DiskFull):
        pass


def _debug(details: str) -> None:
    if "VISION_DEBUG" in os.environ and details:
        tell(details)
