"""A config is composed once, and a file of the user's may still make a sweep of a command without -m."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import TINY, Done

from vision.cli.train import targets
from vision.cli.train.schema import conf_folder
from vision.cli.train.train import train

MANY = """\
# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      seed: 0,1
"""


def test_no_file_of_ours_sets_the_mode():
    for file in conf_folder().rglob("*.yaml"):
        content = yaml.safe_load(file.read_text()) or {}
        assert "mode" not in (content.get("hydra") or {}), file
        assert "hydra/config" not in str(content.get("defaults")), file


@pytest.mark.parametrize(("settings", "times"), [((), 1), (("-m",), 1), (("-m", "hydra.mode=MULTIRUN"), 2)])
def test_a_config_is_composed_once_unless_its_mode_may_be_set(settings, times, monkeypatch, capsys):
    composed: list[Any] = []
    compose: Callable[..., Any] = targets._compose  # pyright: ignore[reportPrivateUsage]

    def counted(*arguments: Any, **named: Any) -> Any:
        composed.append(named)
        return compose(*arguments, **named)

    monkeypatch.setattr(targets, "_compose", counted)
    with pytest.raises(SystemExit):
        train([*settings, "debug=tiny", "training.foo=1"])
    assert len(composed) == times and "there is no setting training.foo" in capsys.readouterr().err


def test_a_file_of_the_user_can_make_a_sweep(tmp_path: Path, vision: Callable[..., Done]):
    (tmp_path / "own/many").mkdir(parents=True)
    (tmp_path / "own/many/seeds.yaml").write_text(MANY)
    done = vision(
        tmp_path, "train", "--config-dir", "own", "+many=seeds", *TINY, "model=cnn", "train_size=20"
    )
    assert done.returncode == 0 and "2 of 2 runs finished" in done.stderr, done.stderr
