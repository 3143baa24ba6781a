"""conf/data: every file fits the schema, sets nothing else, and begins with its command."""

import dataclasses
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from vision.cli.data import compose_data
from vision.cli.train.schema import conf_folder, store_schema, to_run_config
from vision.config import AugmentConfig, DataConfig
from vision.data import draw_subset, load_source
from vision.data.sources.torchvision_sets import DATASETS

FILES = sorted((Path(__file__).parents[2] / "conf" / "data").glob("*.yaml"))
TO_GIVE = {"root": "somewhere", "dataset": "owner/name"}


def read(file: Path) -> DataConfig:
    given = OmegaConf.load(conf_folder() / "data" / file)
    filled = [f"data.{key}={TO_GIVE[str(key)]}" for key in given if OmegaConf.is_missing(given, key)]
    store_schema()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return to_run_config(
            compose("train", [f"data={file.stem}", "seed=3", "hydra/sweeper=basic", *filled])
        ).data


@pytest.mark.slow
def test_there_is_one_for_each_data_set():
    names = (
        "cifair10 cifair100 cifar10 cifar100 cifar10_jpeg digits eurosat far_marker fashion_mnist flowers102 "
    )
    names += "food101 huggingface image_folder imagenette mnist parquet svhn"
    assert [file.stem for file in FILES] == names.split()
    assert {config.dataset for config in map(read, FILES) if config.source == "torchvision"} == set(DATASETS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_fills_the_schema(file):
    config = read(file)
    assert config.subset_seed == 3
    assert isinstance(config.augment, AugmentConfig)
    assert config.name in ("somewhere", "name") or config.name.replace("-", "_") == file.stem
    sizes = [int(size) for size in config.train_sizes.split(",")]
    assert sizes == sorted(set(sizes)) and sizes[0] > 0
    assert (config.mean is None) == (config.std is None)
    assert set(OmegaConf.load(file)) - {"defaults"} <= {
        field.name for field in dataclasses.fields(DataConfig)
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_begins_with_what_it_is_and_the_command(file):
    comment = [line for line in file.read_text().splitlines() if line.startswith("#")]
    assert file.read_text().startswith("# ") and len(comment) >= 3
    assert any(line.startswith(f"# vision train data={file.stem} ") for line in comment)


@pytest.mark.parametrize("classes", ["10", "100"])
def test_cifair_is_cifar_but_for_its_test_images(classes):
    cifair, cifar = (read(Path(f"{name}{classes}.yaml")) for name in ("cifair", "cifar"))
    assert (cifair.name, cifair.dataset) == (f"cifair{classes}", f"ciFAIR{classes}")
    assert dataclasses.replace(cifair, name=cifar.name, dataset=cifar.dataset) == cifar


def test_digits_as_configured():
    config = read(next(file for file in FILES if file.stem == "digits"))
    source = load_source(config)
    for size in config.train_sizes.split(","):
        subset = draw_subset(
            source.train.labels, size, seed=config.subset_seed, val_fraction=config.val_fraction
        )
        assert subset.size == int(size) == len(subset.train) + len(subset.val)


def test_what_must_be_given_is_asked_for_and_the_name_is_that_of_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for chosen, missing in (("image_folder", "data.root"), ("huggingface", "data.dataset")):
        with pytest.raises(ValueError, match=rf"^{missing} must be given, for example {missing}=VALUE$"):
            compose_data(chosen, [])
    (tmp_path / "pets").mkdir()
    assert compose_data("pets", []).name == "pets"
    assert compose_data("huggingface", ["data.dataset=ylecun/mnist"]).name == "mnist"
    assert DataConfig(source="digits").name == "digits"
    assert DataConfig(source="torchvision", dataset="SVHN").name == "SVHN"
