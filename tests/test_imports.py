"""What an import and a command load, and that timm knows our models however they are imported."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest


def python(code: str, *arguments: str) -> str:
    """Standard output of some code in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of two models, two sizes and three seeds."""
    rows = ["data,label,train_size,seed,test_accuracy,subset_hash"]
    for size in (100, 200):
        for seed in range(3):
            rows += [
                f"cifar10,{name},{size},{seed},0.{size + seed + 9 * (name == 'CNN')},h"
                for name in ("CNN", "ViT")
            ]
    path = tmp_path_factory.mktemp("records") / "records.csv"
    path.write_text("\n".join(rows))
    return path


COMMANDS = {
    "--help": ("torch", "timm", "matplotlib", "pandas", "hydra"),
    "status {empty}": ("torch", "timm", "matplotlib"),
    "plot {records}": ("torch", "timm"),
    "report {records}": ("torch", "timm"),
    "compare {records}": ("torch", "timm"),
}


@pytest.mark.parametrize(
    "command",
    [pytest.param(name, marks=pytest.mark.slow if "{records}" in name else ()) for name in COMMANDS],
)
def test_a_command_imports_only_what_it_needs(command, records, tmp_path):
    code = """
import sys
from vision.cli import main
try:
    print("status", main(sys.argv[2:]))
except SystemExit as stop:
    print("status", stop.code)
print("loaded", sorted(set(sys.argv[1].split()) & set(sys.modules)))
"""
    arguments = command.format(records=records, empty=tmp_path).split()
    shown = python(code, " ".join(COMMANDS[command]), *arguments)
    assert "loaded []" in shown
    assert ("status 2" if command.startswith("status") else "status 0") in shown


FIRST = "import vision; assert not {'torch', 'timm', 'matplotlib'} & set(sys.modules); import timm"
ORDERS = [
    "import timm; import vision",
    "import vision.mixers; import timm",
    "import vision, importlib.util; importlib.util.find_spec('timm'); import timm.layers",
]
KNOWN = """
for name in ("field_cnn", "softened_cnn"):
    assert timm.is_model(name), name
model = timm.create_model("field_vit", img_size=8, embed_dim=8, depth=1)
import inspect, pickle
assert inspect.getsource(timm)
assert type(pickle.loads(pickle.dumps(model))) is type(model)
from vision import Grid, attend
assert vision.Grid is Grid and vision.attend is attend and vision.fields.Field is vision.Field
assert "attend" in dir(vision)
print("known", flush=True)
"""


@pytest.mark.slow
def test_timm_knows_our_models_where_nothing_is_imported_before():
    assert python(f"import sys\n{FIRST}\n{KNOWN}") == "known\n"


@pytest.mark.slow
def test_timm_knows_our_models_in_any_order_of_imports():
    # Each order in a copy of a process that has imported what timm needs: torch takes seconds.
    code = f"""
import os, sys, torchvision
assert not [name for name in sys.modules if name.startswith(("timm", "vision"))]
for order in {[f"{order}{KNOWN}" for order in ORDERS]!r}:
    child = os.fork()
    if not child:
        exec(order, {{"__name__": "__main__"}})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, order
"""
    assert python(code).split() == ["known"] * len(ORDERS)


OLD_NAMES = {
    "vision.release": "vision.soften.soften",
    "vision.convert.set_explicit": "vision.convert.set_explicit_attention",
    "vision.data.reading": "vision.data.reading_key",
    "vision.models.too_costly": "vision.models.cost_warning",
    "vision.results.not_asked_for": "vision.results.runs_not_in_plan",
    "vision.training.Trained": "vision.training.TrainingResult",
}


@pytest.mark.parametrize("old", OLD_NAMES)
def test_an_old_name_is_the_new_one_with_a_warning(old):
    (package, name), (module, current) = (path.rsplit(".", 1) for path in (old, OLD_NAMES[old]))
    with pytest.warns(DeprecationWarning, match=re.escape(f"{old} is deprecated, use {OLD_NAMES[old]}")):
        value = getattr(importlib.import_module(package), name)
    assert value is getattr(importlib.import_module(module), current)
    with pytest.raises(AttributeError, match=f"'{package}' has no attribute 'nothing'"):
        getattr(importlib.import_module(package), "nothing")  # noqa: B009


def test_as_a_module_the_command_imports_no_library_from_the_current_folder(tmp_path):
    for name in ("argparse", "pandas", "hydra", "numpy", "random", "tempfile", "ast", "pathlib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    command = [sys.executable, "-m", "vision", "status", "."]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 2 and "there is no run below" in shown.stderr
