"""Whole runs on the device: accuracy, memory that runs out, two processes at once."""

import gc
import json
import statistics
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from vision import Backbone, results
from vision.config import RunConfig
from vision.experiment import run


def on(device: torch.device, config: RunConfig, **changes) -> RunConfig:
    return replace(config, training=replace(config.training, device=device.type, **changes))


@pytest.mark.cuda
@pytest.mark.slow
@pytest.mark.parametrize("name", ["field_cnn", "field_vit"])
def test_accuracy_agrees_with_the_cpus_within_the_spread_of_seeds(small_run, cuda, name):
    model = replace(small_run.model, name=name, kwargs={"embed_dim": 32, "depth": 2})
    config = replace(small_run, model=model, train_size=300)

    def accuracies(where: torch.device, sweep: str) -> list[float]:
        runs = [replace(on(where, config, steps=200), seed=seed, sweep=sweep) for seed in range(4)]
        return [run(one)["test_accuracy"] for one in runs]

    cpu, other = accuracies(torch.device("cpu"), "cpu"), accuracies(cuda, "device")
    spread = max(statistics.stdev(cpu), statistics.stdev(other), 0.01)
    # Four standard errors of the difference of two means of four runs.
    assert abs(statistics.mean(cpu) - statistics.mean(other)) < 4 * spread * (2 / 4) ** 0.5
    assert statistics.mean(other) > 0.4


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_run_records_its_device_and_precision(small_run, device, precision):
    result = run(on(device, small_run, precision=precision))
    assert result["device"] and result["precision"] in ("float32", "bfloat16")
    if device.type == "cuda":
        assert result["device"] == torch.cuda.get_device_name()
    if precision == "float32":
        assert result["precision"] == "float32"


@pytest.mark.parametrize("changes", [{"ema_decay": 0.9}, {"precision": "bfloat16"}], ids=str)
def test_settings_of_the_recipe_run(small_run, device, changes):
    assert 0 <= run(on(device, small_run, **changes))["test_accuracy"] <= 1


@pytest.mark.slow
def test_a_compiled_run_finishes(small_run, device):
    assert 0 <= run(on(device, small_run, compile=True))["test_accuracy"] <= 1


def test_memory_that_runs_out_is_a_failed_run_and_the_next_one_works(small_run, device, monkeypatch):
    config = on(device, small_run, batch_size=16)
    failing = replace(config, sweep="large")
    before = in_use(device)
    with monkeypatch.context() as patched:
        if device.type == "cuda":
            total = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 200 * 2**20) / total)
            wide = replace(config.model, kwargs={"embed_dim": 1024, "depth": 8})
            failing = replace(on(device, failing, batch_size=4096), model=wide)
        else:  # a CPU cannot be short of memory without harm to others
            patched.setattr(Backbone, "forward", out_of_memory)
        try:
            with pytest.raises(torch.OutOfMemoryError):
                run(failing)
        finally:
            if device.type == "cuda":
                torch.cuda.set_per_process_memory_fraction(1.0)
    failure = results.read_failure(results.run_folder(failing))
    assert failure["status"] == "failed" and "OutOfMemoryError" in failure["error"]
    assert in_use(device) - before < 2**20, "what did not fit is let go"
    assert run(config)["status"] == "finished"


def in_use(device: torch.device) -> int:
    """Bytes of tensors on a CUDA device, after its unused memory is freed."""
    gc.collect()
    if device.type != "cuda":
        return 0
    torch.cuda.empty_cache()
    return torch.cuda.memory_allocated()


def out_of_memory(self: Backbone, x: torch.Tensor) -> torch.Tensor:
    raise torch.OutOfMemoryError("out of memory")


@pytest.mark.cuda
@pytest.mark.slow
def test_two_processes_at_one_sweep_share_the_device(cuda, tmp_path):
    sweep = ("-m", "data=digits", "model=cnn", "model.kwargs.params=20000", "train_size=100", "seed=0,1,2")
    recipe = ("training.steps=30", "training.lr=0.01", f"training.device={cuda.type}")
    command = [sys.executable, "-m", "vision", "train", *sweep, *recipe, f"output_dir={tmp_path}"]
    together = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=240)[1] for process in together]
    # A process that meets a run of the other one calls it failed; the sweep is whole all the same.
    assert all(process.returncode in (0, 1) for process in together), errors
    records = [json.loads(file.read_text()) for file in tmp_path.rglob("result.json")]
    assert len(records) == 3, errors
    assert all(record["test_accuracy"] > 0.15 for record in records)
