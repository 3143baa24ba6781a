"""Old names of settings: on the command line, in YAML files, in finished runs, and in records."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

from vision import results
from vision.cli.main import main
from vision.cli.sweep_arguments import current_names
from vision.cli.train.old_names import accept_old_names, current_overrides
from vision.cli.train.schema import conf_folder, store_schema
from vision.config import RENAMED, RunConfig

# A value for each old name that differs from its default.
VALUES = {
    "training.warmup": 0.3,
    "training.ema": 0.9,
    "training.evaluations": 2,
    "data.workers": 1,
    "data.memory_share": 0.25,
    "data.augment.erasing": 0.5,
    "model.start": "somewhere",
    "out": "elsewhere",
}


def setting(config: dict[str, Any], name: str) -> object:
    return OmegaConf.select(OmegaConf.create(config), name)


@pytest.fixture
def composed(tmp_path: Path):
    """Compose conf/train.yaml with a user's folder of YAML files."""
    store_schema()
    Plugins.instance()
    accept_old_names()
    GlobalHydra.instance().clear()

    def run(*overrides: str, hydra: bool = False) -> dict:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            overrides = (
                "hydra/sweeper=basic",
                "hydra/job_logging=default",
                "hydra/hydra_logging=default",
                f"hydra.searchpath=[file://{tmp_path}]",
                *overrides,
            )
            config = compose("train", list(overrides), return_hydra_config=hydra)
        tree = OmegaConf.to_container(config, resolve=False)
        assert isinstance(tree, dict)
        return tree

    return run


def test_there_is_a_value_for_each_old_name():
    assert set(VALUES) == set(RENAMED)


@pytest.mark.parametrize("old", RENAMED)
def test_an_override_has_its_present_name(old, capsys):
    new, value = RENAMED[old], VALUES[old]
    assert current_overrides([f"{old}={value}"]) == [f"{new}={value}"]
    assert current_overrides([f"+{old}={value}", "-m"]) == [f"+{new}={value}", "-m"]
    assert current_overrides([f"sweep=a-${{{old}}}"]) == [f"sweep=a-${{{new}}}"]
    with pytest.raises(ValueError, match=f"{old} is the old name of {new}; give {new} only"):
        current_overrides([f"{old}={value}", f"{new}={value}"])


def test_a_warning_names_the_present_name(capsys):
    from vision.cli.train import old_names

    old_names._warn.cache_clear()
    current_overrides(["training.ema=0.9", "training.ema=0.8"])
    assert capsys.readouterr().err.count("training.ema is now training.ema_decay") == 1


@pytest.mark.parametrize("old", RENAMED)
def test_names_of_columns_are_present_names(old, capsys):
    assert current_names(f"label,{old},train_size") == f"label,{RENAMED[old]},train_size"
    assert f"{old} is now {RENAMED[old]}; the next version" in capsys.readouterr().err


def test_plot_accepts_old_names(tmp_path, capsys):
    rows = [
        {"label": f"CNN {warmup}", "data": "digits", "train_size": size, "seed": seed, "test_accuracy": 0.5,
         "val_accuracy": warmup, "training.ema_decay": ema, "training.warmup_fraction": warmup}
        for size in (10, 20) for seed in (0, 1) for ema in (0.8, 0.9) for warmup in (0.1, 0.3)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "records.csv", index=False)
    arguments = ["plot", str(tmp_path / "records.csv"), "--x", "training.ema", "--panel", "label,train_size"]
    assert main([*arguments, "--line", "training.warmup"]) == 0
    curves = pd.read_csv(tmp_path / "curves.csv")
    assert {"training.ema_decay", "training.warmup_fraction"} <= set(curves)
    warnings = capsys.readouterr().err
    assert "training.ema is now training.ema_decay" in warnings
    assert "training.warmup is now training.warmup_fraction" in warnings


@pytest.mark.parametrize("old", RENAMED)
def test_a_yaml_file_of_the_user_may_have_old_names(composed, tmp_path, old):
    new, value = RENAMED[old], VALUES[old]
    tree = OmegaConf.create({"sweep": f"a-${{{old}}}"})
    OmegaConf.update(tree, old, value)
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\n" + OmegaConf.to_yaml(tree))
    config = composed("experiment=mine")
    assert setting(config, new) == value and config["sweep"] == f"a-${{{new}}}"
    group, _, rest = old.partition(".")
    if rest:  # a file of the group itself
        tree = OmegaConf.create({"defaults": ["default" if group == "training" else "vit"]})
        tree = OmegaConf.create({"name": "n", "source": "s"} if group == "data" else tree)
        OmegaConf.update(tree, rest, value)
        (tmp_path / group).mkdir()
        (tmp_path / group / "mine.yaml").write_text(OmegaConf.to_yaml(tree))
        assert setting(composed(f"{group}=mine"), new) == value


def test_a_yaml_file_with_both_names_is_refused(composed, tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "mine.yaml").write_text("ema: 0.9\nema_decay: 0.9\n")
    with pytest.raises(ValueError, match=r"training.ema is the old name of training.ema_decay"):
        composed("training=mine")


def test_the_sweep_of_a_yaml_file_may_have_old_names(composed, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("""# @package _global_
defaults:
  - override /data: far_marker

sweep: long/${data.dataset}
hydra:
  sweeper:
    params:
      training.ema: 0.9,0.99
      data.dataset: "'2','4'"
""")
    config = composed("experiment=mine", hydra=True)
    params = config["hydra"]["sweeper"]["params"]
    assert params == {"training.ema_decay": "0.9,0.99", "data.options.distance": "2,4"}
    assert config["sweep"] == "long/${data.options.distance}"


def test_the_distance_of_far_marker_was_a_data_set(composed, tmp_path):
    assert current_overrides(["data.dataset='2','14'"]) == ["data.options.distance=2,14"]
    assert current_overrides(["data.dataset=CIFAR10"]) == ["data.dataset=CIFAR10"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text('name: far\nsource: far_marker\ndataset: "6"\n')
    assert composed("data=mine")["data"]["options"] == {"distance": 6}


def old_run(config: RunConfig, tmp_path: Path, changes: dict[str, object]) -> Path:
    """Write a finished run as version 2 did, with old names."""
    names = {new: old for old, new in RENAMED.items()}
    settings = {names.get(name, name): value for name, value in results.settings(config).items()} | changes
    folder = results.run_folder(config)
    with results.atomic_run_folder(folder, config) as attempt:
        tree = OmegaConf.create({})
        for name, value in settings.items():
            OmegaConf.update(tree, name, value)
        (attempt.folder / results.CONFIG).write_text(yaml.safe_dump(OmegaConf.to_container(tree)))
        record = {"label": "CNN", "train_size": 60, "seed": config.seed, "config_sha256": "old"}
        record |= {"record_version": 2, "settings": settings, "test_accuracy": 0.5}
        results.write_json(attempt.folder / results.RESULT, record)
    return folder


def test_a_finished_run_with_old_names_is_the_same_run(small_run, tmp_path):
    small_run.training.ema_decay = 0.9
    folder = old_run(small_run, tmp_path, {})
    finished = results.load_finished(folder, small_run)
    assert finished is not None and finished["test_accuracy"] == 0.5
    other = replace(small_run, training=replace(small_run.training, ema_decay=0.8))
    with pytest.raises(results.ConfigMismatch) as caught:
        results.load_finished(folder, other)
    assert str(caught.value).count("requested") == 1
    assert "training.ema_decay: 0.9 there, 0.8 requested" in str(caught.value)


def test_old_and_new_records_have_the_same_columns(small_run, tmp_path):
    old_run(small_run, tmp_path, {})
    new = replace(small_run, seed=1)
    with results.atomic_run_folder(results.run_folder(new), new) as attempt:
        record = {"label": "CNN", "train_size": 60, "seed": 1, "settings": results.settings(new)}
        results.write_json(attempt.folder / results.RESULT, {"record_version": 3, **record})
    records = results.collect(small_run.output_dir)
    assert not set(RENAMED) & set(records)
    assert records["training.num_evaluations"].tolist() == [3, 3]


def test_a_table_with_old_columns_is_read(tmp_path):
    table = pd.DataFrame(
        {
            "label": ["A", "A", "B"],
            "train_size": 10,
            "seed": [0, 1, 0],
            "data.source": ["far_marker", "far_marker", "digits"],
            "data.dataset": ["6", None, "x"],
            "data.options.distance": [None, 4, None],
            "training.ema": [0.9, None, None],
            "training.ema_decay": [None, 0.9, 0.8],
            "training.warmup": 0.1,
        }
    )
    table.to_csv(tmp_path / "old.csv", index=False)
    records = results.read_records(tmp_path / "old.csv")
    assert not set(RENAMED) & set(records)
    assert records["training.ema_decay"].tolist() == [0.9, 0.9, 0.8]
    assert records["training.warmup_fraction"].tolist() == [0.1] * 3
    assert records["data.options.distance"].tolist()[:2] == [6, 4]
    assert records["data.dataset"].isna().tolist() == [True, True, False]


PUBLISHED = Path(__file__).parents[3] / "outputs" / "published"


@pytest.mark.parametrize("file", sorted(PUBLISHED.glob("*/records.csv")), ids=lambda file: file.parent.name)
def test_published_records_have_present_names(file):
    records = results.read_records(file)
    assert not set(RENAMED) & set(records)
    if file.parent.name == "long_range":
        assert sorted(records["data.options.distance"].unique()) == [2, 4, 6, 10, 14]
