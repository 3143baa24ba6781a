"""A training that is cut and continued equals one that is never cut, to the bit on the CPU."""

import io
from typing import Any

import pytest
import torch
from torch import nn

from vision import Backbone
from vision.config import TrainingConfig
from vision.mixers import mixer_names
from vision.training import Training, fit

CPU, STEPS, CUT = torch.device("cpu"), 9, 4


def model(mixer: str = "self_attention") -> nn.Module:
    torch.manual_seed(0)
    return Backbone(
        mixer=mixer,
        img_size=8,
        patch_size=2,
        in_chans=1,
        num_classes=3,
        embed_dim=16,
        depth=2,
        drop_path_rate=0.3,
        drop_rate=0.2,
    )


def batches(start: int = 0):
    generator = torch.Generator().manual_seed(0)
    for number in range(STEPS):
        x, y = torch.randn(8, 1, 8, 8, generator=generator), torch.randint(3, (8,), generator=generator)
        if number >= start:
            yield x, y


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in module.state_dict().values()])


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def cut_and_continued(config: TrainingConfig, **options: Any) -> tuple[nn.Module, nn.Module]:
    """The model of a training that is never cut, and that of one that is cut and then continued."""
    states: list[dict[str, Any]] = []

    def keep(training: Training) -> None:
        if training.done == CUT:
            states.append(through_a_file(training.state_dict()))

    common: dict[str, Any] = {"steps": STEPS, "device": CPU}
    whole = fit(model(**options), batches(), config, on_step=keep, **common).model
    other = model(**options)
    with torch.no_grad():  # nothing of the new model may be left
        for parameter in other.parameters():
            parameter.zero_()
    torch.manual_seed(99)
    return whole, fit(other, batches(CUT), config, resume=states[0], **common).model


@pytest.mark.slow
@pytest.mark.parametrize("mixer", mixer_names())
def test_every_mixer_continues_to_the_bit(mixer):
    whole, continued = cut_and_continued(TrainingConfig(precision="float32"), mixer=mixer)
    assert torch.equal(weights(whole), weights(continued))


@pytest.mark.parametrize(
    "changes",
    [
        {"ema_decay": 0.9},
        {"optimizer": "sgd"},
        {"optimizer": "lion"},
        {"optimizer": "lamb"},
        {"accumulation_steps": 2},
        {"freeze_backbone": True},
        {"precision": "bfloat16"},
        {"schedule": "wsd", "num_evaluations": 2},
        {"ema_decay": 0.9, "accumulation_steps": 2},
        {"ema_decay": 0.9, "accumulation_steps": 4, "freeze_backbone": True, "layer_decay": 0.7},
        {"optimizer": "sgd", "momentum": 0.9, "optimizer_options": {"nesterov": True}, "ema_decay": 0.5},
        {"out_of_memory": "halve", "ema_decay": 0.9, "clip_grad": 0.1},
    ],
    ids=str,
)
def test_every_recipe_continues_to_the_bit(changes):
    config = TrainingConfig(**{"precision": "float32", **changes})
    whole, continued = cut_and_continued(config)
    assert torch.equal(weights(whole), weights(continued))


class Limited(nn.Module):
    """A model with memory for four images at once, until it has been called often enough."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.inner, self._left = model(), calls

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._left -= 1
        if self._left >= 0 and len(x) > 4:
            raise MemoryError("another program has the memory")
        return self.inner(x)


def test_a_batch_that_was_halved_before_the_cut_stays_halved():
    config = TrainingConfig(precision="float32", out_of_memory="halve")
    states: list[dict[str, Any]] = []

    def keep(training: Training) -> None:
        if training.done == CUT:
            states.append(through_a_file(training.state_dict()))

    common: dict[str, Any] = {"steps": STEPS, "device": CPU}
    whole = fit(Limited(calls=1), batches(), config, on_step=keep, **common)
    continued = fit(Limited(calls=0), batches(CUT), config, resume=states[0], **common)
    assert whole.parts == continued.parts == 2
    assert torch.equal(weights(whole.model), weights(continued.model))


def test_the_mean_loss_after_a_cut_counts_the_steps_before_it():
    seen: list[list[dict[str, float]]] = []

    def recorded() -> Any:
        seen.append([])
        return lambda _, metrics: seen[-1].append(metrics)

    states: list[dict[str, Any]] = []

    def keep(training: Training) -> None:
        if training.done == CUT:
            states.append(through_a_file(training.state_dict()))

    config = TrainingConfig(precision="float32", num_evaluations=1)
    common: dict[str, Any] = {"steps": STEPS, "device": CPU}
    fit(model(), batches(), config, on_step=keep, on_evaluation=recorded(), **common)
    fit(model(), batches(CUT), config, resume=states[0], on_evaluation=recorded(), **common)
    assert seen[0] == seen[1] and len(seen[0]) == 1
