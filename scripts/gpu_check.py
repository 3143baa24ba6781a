"""Check, measure and study on one GPU, by one command; it needs this folder and torch, and no network.

    python3 scripts/gpu_check.py --out DIR --seconds 400
    python3 scripts/gpu_check.py --out DIR --seconds 400 --parts study --resume runs.tar.gz
    python3 scripts/gpu_check.py --out DIR --device cpu --tiny   the same without a GPU, in two minutes

DIR gets results.json, tests.csv, benchmark.csv, study.csv, runs.tar.gz (run folders without weights) and
log.txt. docs/gpu.md explains what each part does and how to bring the project to such a machine.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comparison.arguments import listed
from comparison.plan import PLANS, choose
from comparison.study import Study
from comparison.workers import Costs, Workers
from gpu import archive
from gpu.benchmark_part import run_benchmark
from gpu.log import Log
from gpu.machine import describe_machine, find_commit
from gpu.process import ROOT, Clock, kill_all
from gpu.rows import ROWS
from gpu.tables import read_runs, write_csv, write_json
from gpu.tests_part import find_tests, run_tests

PARTS = ("tests", "benchmark", "study")
SHARES = {"tests": 0.35, "benchmark": 0.6, "study": 1.0}  # of the seconds that are left where the part begins
PACKING_SECONDS = 10
CARRIED_DATA = Path(".gpu/data/cifar10-jpeg")
FASTER = 0.01  # a run's time over that on one core of a CPU, until a run has ended


def main() -> int:
    """Run the chosen parts; returns 1 where a test failed or a part could not run."""
    options = _options()
    os.environ["VISION_COMMIT"] = find_commit(options.commit)  # every run's record carries it
    options.out.mkdir(parents=True, exist_ok=True)
    log, clock = Log(options.out / "log.txt"), Clock(options.seconds - PACKING_SECONDS)
    signal.signal(signal.SIGTERM, lambda *_: _stop(clock))
    results: dict[str, Any] = {"commit": os.environ["VISION_COMMIT"], "seconds": options.seconds}
    results |= {"tiny": options.tiny, "arguments": sys.argv[1:]} | describe_machine(options.device)
    log.say("gpu_check", ", ".join(f"{name} {results[name]}" for name in ("device", "commit", "seconds")))
    if options.device == "cuda" and not results.get("works"):
        log.say(
            "gpu_check", "--device cuda needs a CUDA device that computes; none does here. Use --device cpu"
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="gpu_check-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        if options.resume:
            log.say("resume", f"{archive.unpack(options.resume, work / 'outputs')} runs finished before")
        try:
            for part in options.parts:
                _run_part(part, results, work, clock, log, options)
        except _Stopped:
            log.say("gpu_check", "told to stop; what is there is kept")
        _keep_runs(options.out, work)
        _keep(options.out, results)
    failed = [row for row in results.get("tests", []) if row["outcome"] not in ("passed", "skipped")]
    broken = [part for part in options.parts if "error" in results.get(f"{part}_part", {"error": "not run"})]
    log.say("gpu_check", f"{len(failed)} tests failed, parts that did not run: {', '.join(broken) or 'none'}")
    return 1 if failed or broken else 0


def _run_part(
    part: str, results: dict[str, Any], work: Path, clock: Clock, log: Log, options: argparse.Namespace
) -> None:
    """Run one part in its share of the time; an error of its own is recorded and costs no other part."""
    start = time.monotonic()
    share = 1.0 if part == options.parts[-1] else SHARES[part]
    own = clock.share(share)
    log.say(part, f"begins, {own.left:.0f} s")
    functions: dict[str, Callable[[], Any]] = {
        "tests": lambda: run_tests(work, own, log, device=options.device, chosen=options.tests),
        "benchmark": lambda: run_benchmark(
            own,
            log,
            device=options.device,
            tiny=options.tiny,
            chosen=options.rows,
            on_row=lambda rows: _keep_part(options.out, results, "benchmark", rows),
        ),
        "study": lambda: _study(work, own, log, options, lambda: _keep_runs(options.out, work)),
    }
    record: dict[str, Any] = {}
    try:
        results[part] = functions[part]()
    except _Stopped:
        raise
    except Exception as error:
        record["error"] = f"{type(error).__name__}: {error}"
        log.say(part, record["error"])
    record["seconds"] = round(time.monotonic() - start, 1)
    results[f"{part}_part"] = record
    _keep(options.out, results)
    log.say(part, f"took {record['seconds']} s")


def _study(
    work: Path, clock: Clock, log: Log, options: argparse.Namespace, keep: Callable[[], object]
) -> dict[str, Any]:
    outputs, data = work / "outputs", "digits" if options.tiny else "cifar10_jpeg"
    common = [f"data={data}", f"output_dir={outputs}"]
    common += [f"training.device={options.device}", "training.threads=1"]
    if options.tiny:
        common += ["data.test_size=100"]
    elif (ROOT / CARRIED_DATA).is_dir():
        common += [f"data.root={CARRIED_DATA}"]
    count = options.workers or (2 if options.tiny else max(1, min(6, (os.cpu_count() or 2) // 2)))
    workers = Workers(tuple(common), clock, log, count, Costs(FASTER if options.device == "cuda" else 1.0))
    plan = PLANS["tiny" if options.tiny else "gpu"]
    blocks = [choose(block, options.models, options.sizes, options.seeds) for block in plan]
    name = f"study-{data.replace('_', '-')}"
    study = Study(blocks, name, workers, tables=outputs / name, on_update=keep)
    try:
        study.run()
    finally:
        workers.close()
    finished = sum(row.get("status") == "finished" for row in read_runs(outputs))
    return {"finished": finished, "failed": workers.failed, "left": study.describe()}


def _keep_part(out: Path, results: dict[str, Any], part: str, rows: list[dict[str, Any]]) -> None:
    results[part] = list(rows)
    _keep(out, results)


def _keep(out: Path, results: dict[str, Any]) -> None:
    """Write the tables of what there is so far."""
    write_json(out / "results.json", results)
    about = {name: results[name] for name in ("device", "commit", "date") if name in results}
    about["torch"] = results["versions"]["torch"]
    for name in ("tests", "benchmark"):
        if name in results:
            write_csv(out / f"{name}.csv", [row | about for row in results[name]])


def _keep_runs(out: Path, work: Path) -> None:
    """Write the archive and the table of the study's runs so far."""
    outputs = work / "outputs"
    if outputs.is_dir():
        archive.pack(outputs, out / "runs.tar.gz")
        write_csv(out / "study.csv", read_runs(outputs))


class _Stopped(Exception):
    """SIGTERM came."""


def _stop(clock: Clock) -> None:
    clock.stop()
    kill_all()
    raise _Stopped


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check, measure and study on one GPU; see docs/gpu.md.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--seconds", type=float, default=400, help="for everything (default: %(default)s)")
    parser.add_argument("--parts", type=listed(PARTS), default=list(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: %(default)s")
    parser.add_argument("--tiny", action="store_true", help="small enough for a CPU; figures mean nothing")
    parser.add_argument("--resume", type=Path, metavar="ARCHIVE", help="runs.tar.gz of an earlier call")
    parser.add_argument("--commit", help="of this copy, where it has no git history")
    parser.add_argument("--tests", type=listed(find_tests()), help="files of tests/cuda, such as flex,runs")
    parser.add_argument("--rows", type=listed(ROWS), help="benchmark rows, comma-separated (default: all)")
    parser.add_argument("--models", type=listed(), help="of the study, such as cnn,vit")
    parser.add_argument("--sizes", type=listed(kind=int), help="training images of the study")
    parser.add_argument("--seeds", type=int, help="largest number of seeds of the study at each size")
    parser.add_argument("--workers", type=int, help="of the study at once (default: from the cores)")
    options = parser.parse_args()
    options.tests = options.tests or (list(TINY_TESTS) if options.tiny else list(find_tests()))
    options.rows = options.rows or (list(TINY_ROWS) if options.tiny else list(ROWS))
    if options.resume and not options.resume.is_file():
        parser.error(f"--resume {options.resume} is not a file; give the runs.tar.gz of an earlier call")
    return options


# With --tiny: quick tests, and one row of each kind that a CPU runs in seconds.
TINY_TESTS = ("data", "training")
TINY_ROWS = ("step_vit_graphed_step", "attention_8", "loop", "peak", "convolution", "conversion")


if __name__ == "__main__":
    sys.exit(main())
