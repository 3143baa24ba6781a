"""`vision train -m`: failed, finished and killed runs, and how status and plot show them."""

import json
import signal
import subprocess
import time
from itertools import product

import numpy as np
import pandas as pd
import pytest
from commands import DIVERGING, TINY, VISION
from PIL import Image


def test_a_failed_run_stops_no_other_and_is_counted(sweep, vision):
    shown = vision(sweep, "status", "outputs/tiny/runs")
    assert shown.returncode == 1
    assert "4 finished, 2 failed, 0 running, 0 missing" in shown.stdout
    assert "of 4 finished runs: training accuracy below 0.9 in 4; a longer budget may" in shown.stdout
    assert "failed: outputs/tiny/runs/CNN/n60/s0: NonFiniteLoss: the loss is " in shown.stdout
    assert "2 runs were planned earlier, such as CNN/n60/s0" in shown.stdout
    failure = json.loads((sweep / "outputs/tiny/runs/CNN/n60/s0/failure.json").read_text())
    assert "Traceback" in failure["traceback"] and failure["step"] >= 1


def test_running_a_sweep_again_runs_only_what_is_missing(sweep, vision):
    before = {p: p.stat().st_mtime_ns for p in sweep.rglob("result.json")}
    finished = vision(sweep, "train", "-m", *TINY, "model=vit,cnn", "train_size=20,40", "seed=0")
    assert finished.returncode == 0 and "4 runs, 4 finished before, 0 to do" in finished.stderr
    assert {p: p.stat().st_mtime_ns for p in sweep.rglob("result.json")} == before


def test_failed_runs_are_run_again_only_when_asked(sweep, vision):
    path = sweep / "outputs/tiny/runs/CNN/n60/s0/failure.json"
    first = json.loads(path.read_text())["time"], path.stat().st_ino
    again = vision(sweep, "train", "-m", *TINY, *DIVERGING)
    assert (
        again.returncode == 1
        and "2 failed before or damaged (retry_failed=true runs them again), 0 to do" in again.stderr
    )
    assert (json.loads(path.read_text())["time"], path.stat().st_ino) == first
    retried = vision(sweep, "train", "-m", *TINY, *DIVERGING, "retry_failed=true")
    assert retried.returncode == 1 and "2 runs, 0 finished before, 2 to do" in retried.stderr
    assert path.stat().st_ino != first[1]
    one = vision(sweep, "train", *TINY, *DIVERGING[1:], "model=cnn")
    assert one.returncode == 1 and "failed before: NonFiniteLoss" in one.stderr


@pytest.mark.slow
def test_a_killed_sweep_is_resumed_where_it_was(tmp_path, vision):
    arguments = ["train", "-m", *TINY, "model=cnn", "train_size=20", "seed=range(8)", "training.steps=100"]
    going = subprocess.Popen([str(VISION), *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while len(list(tmp_path.rglob("s?/result.json"))) < 2 and time.time() < deadline:
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


def test_runs_that_are_the_same_run_are_run_once(tmp_path, vision):
    done = vision(tmp_path, "train", "-m", *TINY, "model=cnn", "training=default,epochs", "train_size=20")
    assert done.returncode == 0 and "1 runs, 0 finished before, 1 to do" in done.stderr, done.stderr


def test_plot_writes_and_names_its_figure_and_tables(sweep, vision):
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


def test_runs_planned_earlier_are_cleaned_away_after_showing_them(tmp_path, vision):
    diverged = vision(tmp_path, "train", "-m", *TINY, *DIVERGING, "model=cnn")
    assert diverged.returncode == 1
    assert vision(tmp_path, "train", "-m", *TINY, "model=cnn", "train_size=20").returncode == 0
    shown = vision(tmp_path, "clean", "outputs/tiny/runs", "--dry-run")
    assert "would remove outputs/tiny/runs/CNN/n60/s0: failed, and not in the sweep" in shown.stdout
    assert (tmp_path / "outputs/tiny/runs/CNN/n60/s0/failure.json").exists()
    removed = vision(tmp_path, "clean", "outputs/tiny/runs")
    assert removed.stdout.replace("removing", "would remove") == shown.stdout
    assert not (tmp_path / "outputs/tiny/runs/CNN/n60").exists()
    assert vision(tmp_path, "clean", "outputs/tiny/runs").stdout == "nothing to remove\n"
    assert vision(tmp_path, "status", "outputs/tiny/runs").returncode == 0


@pytest.mark.slow
def test_altered_runs_are_named_and_made_again_on_request(tmp_path, vision):
    sweep = ["train", "-m", *TINY, "model=cnn", "train_size=20", "seed=0,1"]
    assert vision(tmp_path, *sweep).returncode == 0
    runs = tmp_path / "outputs/tiny/runs/CNN/n20"
    sound = vision(tmp_path, "verify", "outputs/tiny/runs")
    assert (sound.returncode, sound.stdout) == (0, "2 of 2 finished runs are sound\n")
    weights = runs / "s1/model.safetensors"
    first = weights.read_bytes()
    weights.write_bytes(first[:-1] + bytes([first[-1] ^ 1]))
    altered = vision(tmp_path, "verify", "outputs/tiny/runs")
    assert altered.returncode == 1 and "model.safetensors was altered" in altered.stdout
    result = runs / "s0/result.json"
    result.write_text(result.read_text().replace('"test_accuracy": 0.', '"test_accuracy": 0.9', 1))
    others = vision(tmp_path, *sweep[:-1], "seed=0,1,2")
    assert others.returncode == 1 and "CNN n=20 seed=2: test accuracy" in others.stderr, "the others go on"
    *_, named, summary = others.stderr.splitlines()
    assert "s0/result.json was altered" in named and named.endswith("; retry_failed=true runs it again")
    assert summary.startswith("2 of 3 runs finished")
    again = vision(tmp_path, *sweep, "retry_failed=true")
    assert again.returncode == 0 and again.stderr.count("run again: ") == 2, again.stderr
    assert weights.read_bytes() == first
    assert vision(tmp_path, "verify", "outputs/tiny/runs").returncode == 0


@pytest.mark.slow
def test_images_that_changed_under_finished_runs_are_noticed(tmp_path, vision):
    for split, name, number in product(("train", "test"), ("a", "b"), range(12)):
        path = tmp_path / "photos" / split / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number + 100 * len(split) + (name == "b")).integers(0, 256, (8, 8))
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    sweep = ["train", "-m", *TINY, "model=cnn", "data=image_folder", "data.root=photos", "train_size=12"]
    done = vision(tmp_path, *sweep, "seed=0")
    assert done.returncode == 0, done.stderr
    assert vision(tmp_path, "verify", "outputs/tiny/runs").returncode == 0
    Image.fromarray(np.eye(8, dtype=np.uint8) * 200).save(tmp_path / "photos/train/a/3.png")
    changed = vision(tmp_path, "verify", "outputs/tiny/runs")
    assert changed.returncode == 1, changed.stdout
    assert (
        "changed: the images or labels of data.name=photos since 1 runs, such as CNN/n12/s0" in changed.stdout
    )
    assert vision(tmp_path, "verify", "outputs/tiny/runs", "--skip-data").returncode == 0
    command = [str(VISION), *sweep, "seed=0,1"]  # a process of its own, which has not read the data before
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 2 and "of data.name=photos changed since the run in" in refused.stderr
    assert not (tmp_path / "outputs/tiny/runs/CNN/n12/s1").exists()


@pytest.mark.slow
def test_status_watches_a_sweep_until_it_is_finished(tmp_path):
    sweep = [*TINY, "model=cnn", "train_size=20", "seed=range(4)", "training.steps=300"]
    with subprocess.Popen([VISION, "train", "-m", *sweep], cwd=tmp_path, stderr=subprocess.DEVNULL) as going:
        while not (tmp_path / "outputs/tiny/runs/plan.json").exists():
            time.sleep(0.05)
        watched = subprocess.run(
            [VISION, "status", "outputs/tiny/runs", "--watch"], cwd=tmp_path, capture_output=True, text=True
        )
        assert going.wait(60) == 0
    assert watched.returncode == 0, watched.stderr
    assert "CNN     4/4" in watched.stdout and "no run is left" in watched.stdout
    assert "4 finished, 0 failed, 0 running, 0 missing" in watched.stdout
