"""Real runs on digits, shared by the tests of the page."""

from pathlib import Path

import pytest

from vision.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from vision.experiment import run


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight real runs on digits: two models, two sizes, two seeds."""
    out = tmp_path_factory.mktemp("report") / "outputs"
    for name, label in (("field_cnn", "CNN"), ("field_vit", "ViT")):
        for size in (60, 200):
            for seed in (0, 1):
                run(
                    RunConfig(
                        data=DataConfig(name="digits", source="digits", subset_seed=seed, test_size=100),
                        model=ModelConfig(name=name, label=label, kwargs={"embed_dim": 16, "depth": 1}),
                        training=TrainingConfig(
                            steps=12, batch_size=16, num_evaluations=3, precision="float32"
                        ),
                        train_size=size,
                        seed=seed,
                        sweep="small",
                        output_dir=str(out),
                    )
                )
    return out / "small"
