"""timm's own tests of models, of the installed version, run over every model of this package."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import timm

TESTS = Path(__file__).parents[1]
# torch.jit.script is deprecated by PyTorch and cannot compile our forwards: see docs/models.md.
# The kernels of nearest_cnn are fitted for one grid, so it refuses another size, which one test asks for.
LEFT_OUT = "not torchscript and not (default_cfgs_non_std and nearest_cnn)"


@pytest.fixture(scope="module")
def timms_tests(pytestconfig: pytest.Config) -> Path:
    """timm's tests/test_models.py, from its source distribution; downloaded once."""
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("timm")
    name = f"timm-{timm.__version__}"
    archive = folder / f"{name}.tar.gz"
    if not archive.is_file():
        wanted = ["--no-deps", "--no-binary", "timm", f"timm=={timm.__version__}"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), *wanted]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no package index: {done.stderr.strip().splitlines()[-1]}")
    with tarfile.open(archive) as files:
        text = files.extractfile(f"{name}/tests/test_models.py")
        assert text
        file = folder / name / "test_models.py"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.read())
    return file


@pytest.mark.slow
def test_every_model_passes_timms_own_tests(timms_tests):
    options = ["-p", "timm_plugin", "-p", "no:cacheprovider", "-q", "--tb=short", "-W", "ignore"]
    command = [sys.executable, "-m", "pytest", *options, "-k", LEFT_OUT, "-c", os.devnull, "--rootdir=."]
    path = f"{TESTS}:{TESTS.parent}"
    done = subprocess.run(
        [*command, timms_tests.name],
        cwd=timms_tests.parent,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) >= 130, done.stdout[-500:]
