"""Commands as a user runs them: each in its own folder, outside the process of the tests."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import TINY, Done

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
    """Two models, three sizes of which one is too small, so that two of six runs fail."""
    folder = tmp_path_factory.mktemp("sweep")
    done = vision(folder, "train", "-m", *TINY, "model=vit,cnn", "train_size=5,20,40", "seed=0")
    assert done.returncode == 1, done.stderr
    assert "4 of 6 runs finished" in done.stderr and "Traceback" not in done.stderr
    assert "train_size must be an integer from 10" in done.stderr
    return folder
