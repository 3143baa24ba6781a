"""The training loop: it learns, it is the same to the bit, and it stops when the loss is not finite."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vision.config import TrainingConfig
from vision.training import NonFiniteLoss, budget_steps, evaluate, fit, resolve_device, resolve_precision

CPU = torch.device("cpu")


def recipe(**changes) -> TrainingConfig:
    return TrainingConfig(**{"steps": 40, "batch_size": 16, "precision": "float32", "lr": 1e-2, **changes})


def batches(count: int, seed: int = 0):
    """A task that one linear layer solves: which of 4 inputs is largest."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        x = torch.randn(16, 4, generator=generator)
        yield x, x.argmax(1)


def trained(config: TrainingConfig, records: list | None = None, model: nn.Module | None = None) -> nn.Module:
    torch.manual_seed(0)
    model = model or nn.Linear(4, 4)
    keep = (lambda m, r: records.append(r)) if records is not None else None
    steps = config.steps or 0
    return fit(model, batches(steps), config, steps=steps, device=CPU, on_evaluation=keep).model


def test_it_learns_and_reports():
    records: list[dict] = []
    model = trained(recipe(steps=200, lr=0.1), records)
    assert evaluate(model, batches(20, seed=1), device=CPU, precision="float32").accuracy > 0.9
    assert [r["step"] for r in records] == [40, 80, 120, 160, 200]
    assert records[-1]["train_loss"] < records[0]["train_loss"]


def test_same_seed_same_weights_to_the_bit():
    one, two = trained(recipe(ema_decay=0.9)), trained(recipe(ema_decay=0.9))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_the_schedule_warms_up_and_falls_to_nearly_nothing():
    records: list[dict] = []
    trained(recipe(steps=100, num_evaluations=100, warmup_fraction=0.1, lr=1.0, clip_grad=0.1), records)
    lrs = [r["lr"] for r in records]
    assert lrs.index(max(lrs)) == 10 and max(lrs) == pytest.approx(1.0)
    assert lrs[:10] == sorted(lrs[:10]) and lrs[10:] == sorted(lrs[10:], reverse=True)
    assert 0 < lrs[-1] < 0.01


def test_one_step_is_adamw_by_hand():
    config = recipe(
        steps=1, warmup_fraction=0.0, lr=0.1, weight_decay=0.5, clip_grad=None, label_smoothing=0.1
    )
    torch.manual_seed(0)
    reference = nn.Linear(4, 4)
    x, y = next(batches(1))
    F.cross_entropy(reference(x), y, label_smoothing=0.1).backward()
    lr = 0.1
    with torch.no_grad():
        for parameter, decay in ((reference.weight, 0.5), (reference.bias, 0.0)):
            g = parameter.grad
            assert g is not None
            parameter.mul_(1 - lr * decay).sub_(lr * g / (g.abs() + 1e-8))
    model = trained(config)
    torch.testing.assert_close(model.weight, reference.weight)
    torch.testing.assert_close(model.bias, reference.bias)


def test_the_moving_average_is_what_is_evaluated():
    seen: list[nn.Module] = []
    model = nn.Linear(4, 4)
    result = fit(
        model,
        batches(5),
        recipe(ema_decay=0.99),
        steps=5,
        device=CPU,
        on_evaluation=lambda m, r: seen.append(m),
    ).model
    assert result is not model and seen[-1] is result
    assert isinstance(result, nn.Linear)
    assert not torch.equal(result.weight, model.weight)


@pytest.mark.parametrize("bad_step", [1, 7])
def test_the_error_of_a_loss_that_is_not_finite_names_step_and_learning_rate(bad_step):
    def poisoned():
        for step, (x, y) in enumerate(batches(20), start=1):
            yield (x * math.nan if step == bad_step else x), y

    with pytest.raises(NonFiniteLoss, match=rf"step {bad_step}, learning rate") as caught:
        fit(nn.Linear(4, 4), poisoned(), recipe(), steps=20, device=CPU)
    assert caught.value.step == bad_step and caught.value.lr > 0


def test_scores_count_every_image_once():
    model = nn.Linear(4, 4)
    data = list(batches(3))
    scores = evaluate(model, iter(data), device=CPU, precision="float32")
    x, y = torch.cat([b[0] for b in data]), torch.cat([b[1] for b in data])
    assert scores.accuracy == pytest.approx((model(x).argmax(1) == y).float().mean().item())
    assert scores.loss == pytest.approx(F.cross_entropy(model(x), y).item(), rel=1e-5)
    assert torch.equal(scores.predictions, model(x).argmax(1))
    torch.testing.assert_close(scores.logits, model(x))


def test_probabilities_of_one_class_train_as_its_label_does():
    config = recipe(steps=5, label_smoothing=0.0)
    by_label = trained(config)
    torch.manual_seed(0)
    soft = ((x, F.one_hot(y, 4).float()) for x, y in batches(5))
    by_probability = fit(nn.Linear(4, 4), soft, config, steps=5, device=CPU).model
    for one, other in zip(by_label.parameters(), by_probability.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("epochs", "steps"), [(1, 7), (0.5, 4), (3, 19)])
def test_a_budget_in_epochs(epochs, steps):
    assert budget_steps(TrainingConfig(steps=None, epochs=epochs, batch_size=16), 100) == steps


@pytest.mark.parametrize(("images", "steps"), [(100, 2000), (853, 2000), (854, 2002), (5000, 11719)])
def test_a_budget_in_epochs_has_at_least_min_steps(images, steps):
    converged = TrainingConfig(steps=None, epochs=150, min_steps=2000, batch_size=64)
    assert budget_steps(converged, images) == steps


@pytest.mark.slow
def test_compiled_training_gives_the_same_within_rounding():
    plain, compiled = trained(recipe(steps=3)), trained(recipe(steps=3, compile=True))
    torch.testing.assert_close(plain.weight, compiled.weight)


def test_devices_and_precisions():
    assert resolve_device("cpu") == CPU
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"training.device=cuda is not available.*cpu"):
            resolve_device("cuda")
    assert resolve_precision("float32", CPU) == torch.float32
    assert resolve_precision("auto", CPU) in (torch.float32, torch.bfloat16)


def test_an_evaluation_may_stop_the_training():
    seen: list[float] = []

    def stop(_: nn.Module, metrics: dict[str, float]) -> bool:
        seen.append(metrics["step"])
        return metrics["step"] >= 20

    done = fit(nn.Linear(4, 4), batches(40), recipe(), steps=40, device=CPU, on_evaluation=stop)
    assert done.steps == 24 and seen == [8, 16, 24]
