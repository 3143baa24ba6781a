"""Worker processes: they go on after a wrong run, and no run begins without time."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from comparison.plan import SMALL, TINY, final_runs
from comparison.workers import Costs, Worker, Workers
from gpu.log import Log
from gpu.process import Clock

RUN = final_runs(TINY, {"vit": {"training.lr": 0.002}})[0]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with closing(Log(tmp_path / "log.txt")) as opened:
        yield opened


def test_a_run_that_would_not_end_in_time_is_left(log):
    runs = [run for run in final_runs(SMALL, {"vit": {}}) if run.train_size == 5000]
    workers = Workers((), Clock(30), log, 2, Costs())
    assert not workers.train(runs) and workers.done == workers.failed == 0
    assert workers.train([])


def test_costs_are_learned():
    costs = Costs()
    guess = costs.expect(RUN)
    answer = {"steps": RUN.steps, "train_seconds": 100.0, "wall": 101.0}
    costs.note(RUN, answer | {"wall": 0.1})  # found finished: nothing is learned
    costs.note(RUN, {"error": "it failed"})
    assert costs.expect(RUN) == guess and costs.limit(RUN) == float("inf")
    costs.learn(RUN, 50.0)
    assert costs.expect(RUN) == pytest.approx(1.2 * 50 + 1) and costs.limit(RUN) == float("inf")
    costs.note(RUN, answer)
    assert costs.expect(RUN) == pytest.approx(1.2 * 75 + 1)
    assert costs.limit(RUN) == pytest.approx(5 * 91 + 120)
    assert costs.expect(replace(RUN, model="cnn", seconds=2 * RUN.seconds)) == pytest.approx(1.2 * 150 + 1)


@pytest.mark.slow
def test_a_worker_answers_a_wrong_run_with_its_error_and_goes_on(log, tmp_path):
    worker = Worker(0, log)
    common = ["data=digits", "training.device=cpu", f"output_dir={tmp_path}", "data.test_size=100"]
    wrong = worker.ask([*common, "training.lr=-1"], 120)
    assert "exit status 2" in wrong["error"]
    right = worker.ask([*RUN.overrides, *common], 120)
    assert 0 <= right["test_accuracy"] <= 1 and right["steps"] == RUN.steps == 3, right
    worker.end()
    assert not worker.is_running and "training.lr must be from 1e-12 to" in (tmp_path / "log.txt").read_text()
