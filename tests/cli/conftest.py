"""A sweep as a user runs it, shared by the tests of the commands that read it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import DIVERGING, TINY, Done


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory, vision: Callable[..., Done]) -> Path:
    """Two models and two sizes, and a third size at which both diverge, so that two of six runs fail."""
    folder = tmp_path_factory.mktemp("sweep")
    failed = vision(folder, "train", "-m", *TINY, *DIVERGING)
    assert failed.returncode == 1, failed.stderr
    assert "0 of 2 runs finished" in failed.stderr and "Traceback" not in failed.stderr
    assert "failed: outputs/tiny/runs/ViT/n60/s0: NonFiniteLoss: the loss is " in failed.stderr
    done = vision(folder, "train", "-m", *TINY, "model=vit,cnn", "train_size=20,40", "seed=0")
    assert done.returncode == 0 and "4 of 4 runs finished" in done.stderr, done.stderr
    return folder
