"""Small runs on real digits, shared by the tests of training, results and the command."""

from pathlib import Path

import pytest

from vision.config import DataConfig, ModelConfig, RunConfig, TrainingConfig

TESTS = Path(__file__).parent


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
