"""The wheel: what it contains, and the command in an empty folder, without the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory) -> Path:
    """A folder of packages inside another project's git checkout."""
    checkout = tmp_path_factory.mktemp("checkout")
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    site = checkout / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, text=True)
    return site


def test_the_wheel_holds_what_a_run_needs_and_no_more(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"vision/py.typed", "vision/attention/native.cpp", "hydra_plugins/_vision.py"} <= names
    conf = {f"vision/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "conf").rglob("*.yaml")}
    assert {name for name in names if name.startswith("vision/conf/")} == conf
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "vision").rglob("*.py")}
    assert {name for name in names if name.startswith("vision/") and name.endswith(".py")} == modules
    script = next(name for name in names if name.endswith("entry_points.txt"))
    assert "vision = vision.cli:main" in zipfile.ZipFile(wheel).read(script).decode()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"vision", "hydra_plugins"}


@pytest.mark.slow
def test_the_installed_command_works_in_an_empty_folder(installed, tmp_path):
    # This environment has our dependencies, and maybe a link to the checkout.
    code = f"""
import sys
sys.path = [{str(installed)!r}] + [folder for folder in sys.path if folder != {str(ROOT)!r}]
from importlib.util import find_spec
files = [find_spec(name).origin for name in ("vision", "hydra_plugins._vision")]
assert all(file.startswith({str(installed)!r}) for file in files), files
import json
from vision.cli import main
for command in json.loads(sys.argv[1]):
    print("$", *command, flush=True)
    assert main(command) == 0, command
"""
    commands = [
        ["train", "debug=tiny"],
        ["train", "-m", "debug=tiny", "model=vit,cnn"],
        ["status", "outputs/tiny/runs"],
        ["plot", "outputs/tiny/runs"],
        ["models"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    _, _, sweep, status, _, models = done.stdout.split("$ ")
    assert "4 runs, 1 finished before, 3 to do" in sweep
    record = json.loads((tmp_path / "outputs/tiny/runs/CNN/n20/s0/result.json").read_text())
    assert record["commit"] is None and record["versions"]["vit-vs-cnn"]
    assert status.splitlines()[1].startswith("4 finished, 0 failed, 0 running, 0 missing")
    assert {"accuracy.png", "accuracy.svg", "curves.csv", "records.csv", "records.parquet"} <= {
        p.name for p in (tmp_path / "outputs/tiny/runs").iterdir()
    }
    assert "field_cnn_attention" in models
    assert {p.name for p in tmp_path.iterdir()} == {"outputs"}
