"""Commands in a process that has imported torch, and small runs on real digits, for all tests."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Done

from vision.config import DataConfig, ModelConfig, RunConfig, TrainingConfig

if TYPE_CHECKING:
    from command_server import CommandServer

TESTS = Path(__file__).parent
SERVER: "pytest.StashKey[CommandServer]" = pytest.StashKey()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what is not a test: --doctest-modules would import helpers, and run the tests' scripts."""
    is_helper = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if is_helper and TESTS in collection_path.parents else None


@pytest.fixture
def digits() -> DataConfig:
    return DataConfig(name="digits", source="digits")


@pytest.fixture
def small_run(tmp_path: Path, digits: DataConfig) -> RunConfig:
    """A run of 12 steps on 60 digits, in a folder of its own."""
    return RunConfig(
        data=digits,
        model=ModelConfig(name="field_cnn", label="CNN", kwargs={"embed_dim": 16, "depth": 1}),
        training=TrainingConfig(
            steps=12, batch_size=16, num_evaluations=3, precision="float32", device="cpu"
        ),
        train_size=60,
        output_dir=str(tmp_path / "outputs"),
        sweep="test",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Fork the process of the commands after the imports, and before a test changes what it inherits."""
    if session.config.option.collectonly:
        return
    if any({"vision", "program"} & set(getattr(item, "fixturenames", ())) for item in session.items):
        from command_server import CommandServer

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
def program(pytestconfig: pytest.Config) -> Callable[..., Done]:
    """Run `vision` or `python -c` in a folder, as a process of its own that need not import torch again."""
    return pytestconfig.stash[SERVER].run_program
