"""The training loop on the device: EMA, compile, clipping, precision, and losses that are not finite."""

import copy
import math

import pytest
import torch
from torch import nn

from vision.config import TrainingConfig
from vision.training import NonFiniteLoss, evaluate, fit


def recipe(**changes) -> TrainingConfig:
    return TrainingConfig(**{"steps": 30, "batch_size": 16, "precision": "float32", "lr": 1e-2, **changes})


def batches(count: int, device: torch.device, seed: int = 0):
    """A task that a small network solves: which of 4 inputs is largest."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        x = torch.randn(32, 4, generator=generator)
        yield x.to(device), x.argmax(1).to(device)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 32), nn.GELU(), nn.Linear(32, 4))


def train(device: torch.device, config: TrainingConfig, model: nn.Module | None = None) -> nn.Module:
    model = (model or network()).to(device)
    steps = config.steps or 0
    return fit(model, batches(steps, device), config, steps=steps, device=device).model


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().cpu().double().flatten() for p in model.parameters()])


def test_training_equals_the_cpus(device, difference):
    for changes in ({}, {"ema_decay": 0.9}, {"clip_grad": 0.1}, {"clip_grad": None, "label_smoothing": 0.0}):
        wanted, got = train(torch.device("cpu"), recipe(**changes)), train(device, recipe(**changes))
        assert difference(weights(got), weights(wanted)) < 1e-3, changes


def test_it_learns_in_bfloat16(device):
    model = train(device, recipe(precision="bfloat16", steps=200))
    scores = evaluate(model, batches(20, device, seed=1), device=device, precision="bfloat16")
    assert scores.accuracy > 0.9 and math.isfinite(scores.loss)
    assert scores.predictions.device.type == "cpu"


def test_the_moving_average_is_on_the_device_and_lags(device):
    model = network().to(device)
    average = fit(model, batches(10, device), recipe(ema_decay=0.99, steps=10), steps=10, device=device).model
    assert average is not model and all(p.device.type == device.type for p in average.parameters())
    assert not torch.equal(weights(average), weights(model))


@pytest.mark.slow
def test_a_compiled_model_trains_alike(device, difference):
    wanted = train(device, recipe(steps=10))
    assert difference(weights(train(device, recipe(steps=10, compile=True))), weights(wanted)) < 1e-3


@pytest.mark.parametrize("bad_step", [1, 13])
def test_a_loss_that_is_not_finite_is_noticed_with_its_step(device, bad_step):
    def poisoned():
        for step, (x, y) in enumerate(batches(30, device), start=1):
            yield (x * math.nan if step == bad_step else x), y

    with pytest.raises(NonFiniteLoss) as caught:
        fit(network().to(device), poisoned(), recipe(), steps=30, device=device)
    assert caught.value.step == bad_step


def test_evaluation_in_bfloat16_is_near_float32(device):
    model = train(device, recipe(steps=200))
    scores = [
        evaluate(copy.deepcopy(model), batches(20, device, seed=1), device=device, precision=precision)
        for precision in ("float32", "bfloat16")
    ]
    assert scores[0].accuracy == pytest.approx(scores[1].accuracy, abs=0.02)


@pytest.mark.cuda
def test_a_step_does_not_wait_for_the_device(cuda):
    """Between two evaluations nothing may read a value back: the device would idle."""
    prepared, modes = list(batches(40, cuda)), []

    def watched():
        for number, batch in enumerate(prepared, start=1):
            # the loss is looked at in the evaluations only, here the last step
            torch.cuda.set_sync_debug_mode("error" if 5 < number < 35 else "default")
            modes.append(torch.cuda.get_sync_debug_mode())
            yield batch

    try:
        config = recipe(steps=40, num_evaluations=1)
        fit(network().to(cuda), watched(), config, steps=40, device=cuda)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(modes) == 40 and modes.count(2) == 29, "29 steps in which waiting is an error"
