"""Commands as a user runs them: each in its own folder, outside the process of the tests."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import DIVERGING, TINY, Done

SERVER = Path(__file__).with_name("command_server.py")


@pytest.fixture(scope="session")
def vision() -> Iterator[Callable[..., Done]]:
    """Run a command in a folder, with further variables in its environment."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, str(SERVER)],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        requests, answers = server.stdin, server.stdout

        def run(folder: Path, *arguments: str, **variables: str) -> Done:
            request = {"folder": str(folder), "arguments": arguments, "environment": variables}
            print(json.dumps(request), file=requests, flush=True)
            return Done(*json.loads(answers.readline()))

        yield run
        server.kill()


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
