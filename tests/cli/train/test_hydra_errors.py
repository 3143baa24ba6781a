"""What Hydra refuses is said in plain words: real command lines, composed by Hydra."""

import pytest
from hydra._internal.hydra import Hydra

from vision.cli.train.train import train


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.lrr=3", "there is no setting training.lrr; did you mean training.lr?"),
        ("model.kwargs.pach_size=3", "a plus adds it: +model.kwargs.pach_size=VALUE"),
        ("training.foo=1", "there is no setting training.foo; `vision train --cfg job` prints all settings"),
        ("+training.foo=1", "there is no setting training.foo; `vision train --cfg job` prints all settings"),
        ("+data.augment.flipp=1", "there is no setting data.augment.flipp; did you mean data.augment.flip?"),
        ("+foo=1", "there is no setting foo; "),
        ("data=digit", "data=digit is not there; choose one of cifair10, cifair100, cifar10"),
        ("experiment=dmo", "experiment=dmo is not there; choose one of budget, "),
        ("training.lr=fast", "training.lr must be a number, got fast"),
    ],
)
def test_a_wrong_name_or_value_is_one_plain_sentence(setting, message, capsys, monkeypatch):
    monkeypatch.setattr(Hydra, "compose_config", Hydra.compose_config)  # train replaces it for good
    with pytest.raises(SystemExit) as stopped:
        train(["model=vit", setting] if setting.startswith("data=") else ["data=digits", setting])
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and message in said
    assert said.startswith("vision train: ") and len(said.splitlines()) == 1
