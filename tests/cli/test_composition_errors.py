"""What Hydra refuses is said in plain words: real command lines, composed by Hydra."""

import pytest
from hydra._internal.hydra import Hydra

from vision.cli.train import train


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.lrr=3", "training.lrr is not a setting; did you mean training.lr"),
        ("model.kwargs.pach_size=3", "model.kwargs.pach_size is not in this config; a plus sign adds it"),
        ("data=digit", "cifar10, cifar100"),
        ("data=digit", "got 'digit'; did you mean digits?"),
        ("experiment=dmo", "experiment must be one of budget, "),
        ("training.lr=fast", "training.lr has the wrong type: Value 'fast' of type 'str'"),
    ],
)
def test_a_wrong_name_or_value_is_one_plain_sentence(setting, message, capsys, monkeypatch):
    monkeypatch.setattr(Hydra, "compose_config", Hydra.compose_config)  # train replaces it for good
    with pytest.raises(SystemExit) as stopped:
        train(["model=vit", setting] if setting.startswith("data=") else ["data=digits", setting])
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and message in said
    assert said.startswith("vision train: ") and len(said.splitlines()) == 1
