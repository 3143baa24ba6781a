"""The command as a user calls it, in one process of its own; Hydra takes over the process it is in."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from vision.cli.main import COMMANDS, main

VISION = Path(sys.executable).parent / "vision"
TINY = ["debug=tiny", "model.kwargs.params=20000", "+model.kwargs.depth=1", "training.threads=1"]


# Runs commands one after the other, which saves the imports and the start of Hydra for each of them.
SERVER = """
import contextlib, io, json, os, sys, traceback
from vision.cli import main
for line in sys.stdin:
    request, before = json.loads(line), dict(os.environ)
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    out, err, status = io.StringIO(), io.StringIO(), 1
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(request["arguments"])
        except SystemExit as stop:
            status = stop.code or 0
        except Exception:
            traceback.print_exc()
    os.environ.clear()
    os.environ.update(before)
    print(json.dumps([status, out.getvalue(), err.getvalue()]), flush=True)
"""


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def vision() -> Iterator[Callable[..., Done]]:
    """Run a command in a folder, with further variables in its environment."""
    command, environment = [sys.executable, "-c", SERVER], {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None and server.stdout is not None

        def run(folder: Path, *arguments: str, **variables: str) -> Done:
            request = {"folder": str(folder), "arguments": arguments, "environment": variables}
            assert server.stdin and server.stdout
            print(json.dumps(request), file=server.stdin, flush=True)
            return Done(*json.loads(server.stdout.readline()))

        yield run
        server.kill()


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory, vision: Callable[..., Done]) -> Path:
    """Two models, three sizes of which one is too small, so that two of six runs fail."""
    folder = tmp_path_factory.mktemp("sweep")
    done = vision(folder, "train", "-m", *TINY, "model=vit,cnn", "train_size=5,20,40", "seed=0")
    assert done.returncode == 1, done.stderr
    assert "4 of 6 runs finished" in done.stderr and "Traceback" not in done.stderr
    assert "train_size must be an integer from 10" in done.stderr
    return folder


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "train"])
def test_every_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert f"example: vision {command}" in capsys.readouterr().out


def test_the_installed_command_lists_every_subcommand():
    shown = subprocess.run([VISION, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f"    {name} " in shown for name in COMMANDS)


def test_a_subcommand_that_does_not_exist_is_refused_with_the_others(capsys):
    for arguments in (["plott"], []):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
    assert "'plot'" in capsys.readouterr().err


def test_the_help_of_train_shows_examples_and_groups(tmp_path, vision):
    shown = vision(tmp_path, "train", "--help").stdout
    for text in ("vision train -m experiment=data_size", "model: ", "cifar10_jpeg", "batch_size: 64"):
        assert text in shown
    assert "_backbone" not in shown and "_small" not in shown  # bases of other files


def test_cfg_job_prints_the_settings_and_runs_nothing(tmp_path, vision):
    shown = vision(tmp_path, "train", "--cfg", "job", "data=cifar10", "model=cnn")
    assert shown.returncode == 0
    assert "name: field_cnn" in shown.stdout and "source: torchvision" in shown.stdout
    assert list(tmp_path.iterdir()) == []


WRONG = {
    "trainng.lr=1": ["trainng"],
    "training.learning_rate=1": ["learning_rate", "TrainingConfig"],
    "training.lr=fast": ["training.lr", "fast", "Float"],
    "model=vot": ["vot", "vit"],
    "training.precision=half": ["training.precision", "half", "bfloat16"],
    "model=timm model.name=convnxt_atto": ["model.name", "convnxt_atto", "convnext_atto"],
    "data=parquet": ["data.name must be given"],
    "-m training.lr=0.1,0.2": ["share the folder", "training.lr=0.1", "sweep="],
    "-m model=vit,cnn training.warmup_fraction=2": ["training.warmup_fraction", "got 2"],
    "-m model=cnn --cfg job": ["Only one of"],
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_refused_by_name_before_anything_is_written(line, tmp_path, vision):
    refused = vision(tmp_path, "train", "debug=tiny", *line.split())
    assert refused.returncode != 0 and "Traceback" not in refused.stderr
    for word in WRONG[line]:
        assert word in refused.stderr
    assert not list(tmp_path.rglob("*.json")), "nothing may be written"


def test_a_failed_run_stops_no_other_and_is_counted(sweep, vision):
    shown = vision(sweep, "status", "outputs/tiny/runs")
    assert shown.returncode == 1
    assert "4 finished, 2 failed, 0 running, 0 missing" in shown.stdout
    assert "train_size must be an integer" in shown.stdout
    failure = json.loads((sweep / "outputs/tiny/runs/CNN/n5/s0/failure.json").read_text())
    assert "Traceback" in failure["traceback"] and "ValueError" in failure["error"]


def test_issued_again_only_what_is_missing_runs(sweep, vision):
    before = {p: p.stat().st_mtime_ns for p in sweep.rglob("result.json")}
    again = vision(sweep, "train", "-m", *TINY, "model=vit,cnn", "train_size=5,20,40", "seed=0")
    assert again.returncode == 1 and "6 runs, 4 finished before, 2 to do" in again.stderr
    finished = vision(sweep, "train", "-m", *TINY, "model=vit,cnn", "train_size=20,40", "seed=0")
    assert finished.returncode == 0 and "4 runs, 4 finished before, 0 to do" in finished.stderr
    assert {p: p.stat().st_mtime_ns for p in sweep.rglob("result.json")} == before


def test_another_config_in_a_finished_folder_is_an_error_that_shows_the_difference(sweep, vision):
    for many in ([], ["-m"]):
        refused = vision(sweep, "train", *many, *TINY, "model=cnn", "train_size=20", "training.steps=4")
        assert refused.returncode != 0
        assert "training.steps: 3 there, 4 requested" in refused.stderr and "sweep=" in refused.stderr


def test_a_single_run_is_skipped_too(sweep, vision):
    again = vision(sweep, "train", *TINY, "model=cnn", "train_size=20")
    assert again.returncode == 0 and "finished before" in again.stderr
    assert again.stdout.strip() == "outputs/tiny/runs/CNN/n20/s0"


def test_plot_writes_figure_tables_and_says_where(sweep, vision):
    shown = vision(sweep, "plot", "outputs/tiny/runs", COLUMNS="160")
    assert shown.returncode == 0, shown.stderr
    for name in (
        "accuracy.png",
        "accuracy.svg",
        "accuracy.pdf",
        "records.csv",
        "records.parquet",
        "curves.csv",
    ):
        path = sweep / "outputs/tiny/runs" / name
        assert path.stat().st_size > 0 and f"wrote outputs/tiny/runs/{name}" in shown.stdout
    assert "Not included: 2 failed." in shown.stdout
    records = pd.read_parquet(sweep / "outputs/tiny/runs/records.parquet")
    assert len(records) == 4 and set(records["label"]) == {"ViT", "CNN"}
    pd.testing.assert_frame_equal(
        records[["label", "test_accuracy"]],
        pd.read_csv(sweep / "outputs/tiny/runs/records.csv")[["label", "test_accuracy"]],
        check_dtype=False,
    )
    svg = (sweep / "outputs/tiny/runs/accuracy.svg").read_text()
    assert svg.startswith("<?xml")


@pytest.mark.slow
def test_a_killed_sweep_is_resumed_where_it_was(tmp_path, vision):
    arguments = ["train", "-m", *TINY, "model=cnn", "train_size=20", "seed=range(8)", "training.steps=100"]
    going = subprocess.Popen([str(VISION), *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while len(list(tmp_path.rglob("result.json"))) < 2 and time.time() < deadline:
        time.sleep(0.02)
    going.send_signal(signal.SIGKILL)
    going.wait()
    kept = {p: p.read_bytes() for p in tmp_path.rglob("s?/result.json")}
    assert 2 <= len(kept) < 8
    shown = vision(tmp_path, "status", "outputs/tiny/runs")
    assert f"{len(kept)} finished, 0 failed, 0 running, {8 - len(kept)} missing" in shown.stdout
    assert vision(tmp_path, "plot", "outputs/tiny/runs").returncode == 0
    resumed = vision(tmp_path, *arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert f"8 runs, {len(kept)} finished before" in resumed.stderr
    assert {p: p.read_bytes() for p in kept} == kept
    assert len(list(tmp_path.rglob("result.json"))) == 8 and not list(tmp_path.rglob("*.partial-*"))


def test_odd_spellings_of_a_size_are_the_same_run(tmp_path, vision):
    done = vision(tmp_path, "train", "-m", *TINY, "model=cnn", "train_size=20,40.0", "seed=0")
    assert done.returncode == 0, done.stderr
    again = vision(tmp_path, "train", "-m", *TINY, "model=cnn", "train_size=20.0,040", "seed=0")
    assert again.returncode == 0 and "2 runs, 2 finished before" in again.stderr, again.stderr
    assert vision(tmp_path, "status", "outputs/tiny/runs").returncode == 0


def test_runs_of_different_recipes_are_not_averaged(tmp_path, vision):
    for seed, steps in (("0", "3"), ("1", "4")):
        done = vision(tmp_path, "train", *TINY, "model=cnn", f"seed={seed}", f"training.steps={steps}")
        assert done.returncode == 0, done.stderr
    refused = vision(tmp_path, "plot", "outputs/tiny/runs")
    assert refused.returncode == 2 and "differ in training.steps (3, 4)" in refused.stderr
    parted = vision(tmp_path, "plot", "outputs/tiny/runs", "--line", "training.steps")
    assert parted.returncode == 0, parted.stderr
    unknown = vision(tmp_path, "plot", "outputs/tiny/runs", "--x", "training.step")
    assert unknown.returncode == 2 and "no column training.step " in unknown.stderr
    assert "those that vary are training.steps" in unknown.stderr


@pytest.mark.slow
def test_the_local_launcher_runs_side_by_side_with_the_same_result(tmp_path, vision):
    runs = ["train", "-m", *TINY, "model=cnn", "train_size=20", "seed=0,1"]
    assert vision(tmp_path, *runs, "sweep=one").returncode == 0
    side_by_side = vision(tmp_path, *runs, "sweep=two", "hydra/launcher=local")
    assert side_by_side.returncode == 0, side_by_side.stderr
    for seed in (0, 1):
        runs = (tmp_path / "outputs/tiny" / name / f"CNN/n20/s{seed}" for name in ("one", "two"))
        one, two = (run / "model.safetensors" for run in runs)
        assert one.read_bytes() == two.read_bytes()


def test_sizes_of_a_sweep_come_from_the_data(tmp_path, vision):
    composed = vision(tmp_path, "train", "experiment=data_size", "data=digits", "--cfg", "all", "--resolve")
    assert "train_size: 50,100,250,500,1200" in composed.stdout, composed.stderr
    assert "sweep: data_size-digits" in composed.stdout


def test_completion_knows_subcommands_and_settings(tmp_path, vision):
    assert (
        "train status plot report compare models convert inspect"
        in vision(tmp_path, "-sc", "query=bash", COMP_LINE="vision ").stdout
    )
    offered = vision(tmp_path, "-sc", "query=bash", COMP_LINE="vision train model=").stdout
    assert "model=vit" in offered and "model=cnn" in offered
    script = vision(tmp_path, "-sc", "install=bash").stdout
    assert "complete -o nospace" in script and script.strip().endswith("vision")


def test_models_lists_ours_with_their_cost_and_timms_by_pattern(tmp_path, vision):
    ours = vision(tmp_path, "models", COLUMNS="160").stdout
    assert "field_vit" in ours and "207,946" in ours
    assert "convnext_atto" in vision(tmp_path, "models", "convnext*").stdout
    assert vision(tmp_path, "models", "zzz").returncode == 2


def test_plot_and_status_of_nothing_say_so(tmp_path, vision):
    for command in ("plot", "status"):
        refused = vision(tmp_path, command, "nowhere")
        assert refused.returncode == 2 and re.search("is (no|not a) folder", refused.stderr)
    refused = vision(tmp_path, "plot", "nowhere.csv")
    assert refused.returncode == 2 and "there is no file" in refused.stderr


def test_runs_that_are_the_same_run_are_run_once(tmp_path, vision):
    done = vision(tmp_path, "train", "-m", *TINY, "model=cnn", "training=default,epochs", "train_size=20")
    assert done.returncode == 0 and "1 runs, 0 finished before, 1 to do" in done.stderr, done.stderr
