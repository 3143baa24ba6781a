"""Commands as a user runs them: each in its own folder, outside the process of the tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_server import CommandServer
from commands import DIVERGING, TINY, Done

SERVER = pytest.StashKey[CommandServer]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Fork the process of the commands after the imports, and before a test changes what it inherits."""
    if session.config.option.collectonly:
        return
    if any("vision" in getattr(item, "fixturenames", ()) for item in session.items):
        session.config.stash[SERVER] = CommandServer()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End that process, also where no test has used it: it would be waited for."""
    if server := session.config.stash.get(SERVER, None):
        server.close()


@pytest.fixture(scope="session")
def vision(pytestconfig: pytest.Config) -> Callable[..., Done]:
    """Run a command in a folder, with further variables in its environment."""
    return pytestconfig.stash[SERVER].run


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
