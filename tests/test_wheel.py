"""The wheel: what it contains, and the command in an empty folder, without the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from commands import TINY, VISION
from environment import make_environment

from vision.cli.commands import COMMANDS

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


LIBRARY = """
from importlib.util import find_spec
from pathlib import Path
assert not [name for name in ("pandas", "hydra", "matplotlib", "sklearn", "rich", "onnx") if find_spec(name)]
import numpy, PIL.Image, timm, torch, vision
from vision import DataConfig, ModelConfig, RunConfig, TrainingConfig

model = timm.create_model("field_vit", img_size=16, params=50_000)
cnn = timm.create_model("resnet10t").eval()
with torch.no_grad():
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(vision.as_attention(cnn, 32)(x), cnn(x), rtol=1e-4, atol=1e-4)
q = torch.randn(1, 2, 16, 8)
assert vision.attend(q, q, q, vision.neighbourhood(vision.Grid(4, 4), 3)).shape == q.shape

random = numpy.random.default_rng(0)
for kind, low in (("dark", 0), ("light", 128)):
    Path("images", kind).mkdir(parents=True)
    for number in range(40):
        pixels = random.integers(low, low + 128, (16, 16, 3), dtype=numpy.uint8)
        PIL.Image.fromarray(pixels).save(f"images/{kind}/{number}.png")
record = vision.run(
    RunConfig(
        data=DataConfig(source="image_folder", root="images"),
        model=ModelConfig(name="field_cnn", kwargs={"params": 20_000}),
        training=TrainingConfig(steps=30, batch_size=16, threads=1),
        train_size=40,
    )
)
trained = vision.load(record["folder"])
assert trained.predict("images/light/0.png").name == "light", record["test_accuracy"]
"""
# Each command runs in a copy of a process that has imported torch, and tells its status, output and errors.
COMMANDS_ALONE = """
import json, os, sys
from pathlib import Path
from vision.cli import main
for command in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        status = main(command.split())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([command, status, Path("out").read_text(), Path("err").read_text()]), flush=True)
"""
RUN, RECORD = "outputs/runs", "outputs/runs/field_cnn/n40/s0"
MISSING = {
    "train debug=tiny": "hydra-core",
    "train -m debug=tiny": "hydra-core",
    f"status {RUN}": "rich",
    f"verify {RUN}": "rich",
    f"clean {RUN}": "rich",
    f"evaluate {RUN}": "rich",
    f"plot {RUN}": "pandas",
    f"report {RUN}": "rich",
    f"compare {RUN}": "pandas",
    "data images": "pandas",
    "models": "rich",
    "convert resnet18": "rich",
    f"inspect {RECORD}": "rich",
    f"predict {RECORD} images": "rich",
    f"export {RECORD}": "vit-vs-cnn[export]",
}


@pytest.mark.slow
def test_models_training_and_prediction_need_torch_torchvision_and_timm_alone(wheel, tmp_path):
    """In an environment of its own; a command whose package is missing names it in one sentence."""
    programs = make_environment(tmp_path / "env", "torch", "torchvision", "timm", wheel=wheel)
    here = {"OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}  # no PYTHONPATH to the checkout

    def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(programs / program), *words]
        return subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True)

    done = run("python", "-W", "error", "-c", LIBRARY)
    assert done.returncode == 0, done.stderr
    done = run("vision", "models")
    assert (done.returncode, done.stdout) == (2, "") and len(done.stderr.splitlines()) == 1, done
    done = run("python", "-c", f"import torch{COMMANDS_ALONE}", json.dumps(list(MISSING)))
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [command for command, *_ in told] == list(MISSING)
    for command, status, printed, errors in told:
        name, package = command.split()[0], MISSING[command]
        assert (status, printed) == (2, ""), (command, printed, errors)
        (said,) = errors.splitlines()
        assert said.startswith(f"vision {name}: ") and "needs" in said, said
        assert said.endswith((f"pip install {package}", f"pip install '{package}'")), said


def test_every_command_is_tried_without_its_packages():
    assert {line.split()[0] for line in MISSING} == set(COMMANDS)


def test_a_missing_package_of_an_extra_is_named_with_it():
    from vision.cli.missing_packages import advice

    assert advice("datasets") == (
        "needs the package datasets, which is not installed: pip install 'vit-vs-cnn[huggingface]'"
    )
    assert advice("sklearn.metrics").endswith("pip install scikit-learn")
    assert advice("no_such_thing").endswith("pip install no_such_thing")


@pytest.mark.slow
def test_the_command_is_ours_where_the_current_folder_has_a_folder_vision(tmp_path):
    (tmp_path / "vision").mkdir()
    (tmp_path / "vision" / "__init__.py").write_text("raise SystemExit('another vision')")
    train = [VISION, "train", "-m", *TINY, "model=cnn", "train_size=20"]  # in a worker, a process of its own
    for command in ([VISION, "--version"], train):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs/tiny/runs/CNN/n20/s0/result.json").exists()
