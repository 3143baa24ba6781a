"""Optimizers and schedules by timm's names, against formulas and torch's own."""

from typing import cast

import pytest
import torch
import torch.nn.functional as F
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import Tensor, nn

from vision.config import RunConfig, TrainingConfig, check
from vision.training import Step, create_optimizer, create_schedule, try_recipe

CPU = torch.device("cpu")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3))


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(12, 4, generator=generator), torch.randint(3, (12,), generator=generator)


def rates(config: TrainingConfig, steps: int) -> list[float]:
    optimizer = create_optimizer(network(), config, CPU)
    schedule = create_schedule(optimizer, config, steps=steps)
    found = []
    for step in range(steps):
        schedule.step_update(step)
        found.append(optimizer.param_groups[0]["lr"])
    return found


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.1), (37, 0.25), (1, 0.1), (10, 0.0)])
def test_the_cosine_is_timms_scheduler_to_the_bit(steps, warmup):
    config = TrainingConfig(lr=0.03, warmup_fraction=warmup)
    optimizer = create_optimizer(network(), config, CPU)
    risen = round(warmup * steps)
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=max(1, steps - risen),
        warmup_t=risen,
        warmup_lr_init=0.03 / (risen + 1),
        warmup_prefix=True,
        t_in_epochs=False,
    )
    wanted = []
    for step in range(steps):
        scheduler.step_update(step)
        wanted.append(optimizer.param_groups[0]["lr"])
    assert rates(config, steps) == wanted


def test_milestones_are_fractions_of_all_steps():
    options = {"decay_milestones": [0.5, 0.75], "decay_rate": 0.1}
    config = TrainingConfig(lr=1.0, warmup_fraction=0.0, schedule="multistep", schedule_options=options)
    found = rates(config, 100)
    assert found[:49] == [1.0] * 49  # the fiftieth step is the first at the lower rate, as timm counts
    assert found[49:74] == pytest.approx([0.1] * 25) and found[74:] == pytest.approx([0.01] * 26)


def test_a_constant_rate_after_the_warm_up():
    found = rates(TrainingConfig(lr=1.0, warmup_fraction=0.2, schedule="constant"), 50)
    assert found[10:] == [1.0] * 40 and found[:10] == sorted(found[:10])


def test_sgd_without_momentum_is_plain_descent():
    model, config = network(), TrainingConfig(optimizer="sgd", momentum=0.0, lr=0.1, weight_decay=0.0)
    optimizer = create_optimizer(model, config, CPU)
    for seed in range(2):
        optimizer.zero_grad()
        images, labels = batch(seed)
        F.cross_entropy(model(images), labels).backward()
        wanted = [weight.detach() - 0.1 * cast(Tensor, weight.grad) for weight in model.parameters()]
        optimizer.step()
        torch.testing.assert_close([weight.detach() for weight in model.parameters()], wanted)


@pytest.mark.parametrize("nesterov", [True, False])
def test_sgd_is_the_formula(nesterov):
    config = TrainingConfig(
        optimizer="sgd", momentum=0.8, optimizer_options={"nesterov": nesterov}, lr=0.1, weight_decay=0.5
    )
    model, reference = network(), network()
    optimizer = create_optimizer(model, config, CPU)
    speed = {name: torch.zeros_like(value) for name, value in reference.named_parameters()}
    for step in range(3):
        x, y = batch(step)
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
        reference.zero_grad()
        F.cross_entropy(reference(x), y).backward()
        with torch.no_grad():
            for name, value in reference.named_parameters():
                assert value.grad is not None
                gradient = value.grad + (0.5 * value if value.ndim > 1 else 0.0)
                speed[name] = 0.8 * speed[name] + gradient
                value -= 0.1 * (gradient + 0.8 * speed[name] if nesterov else speed[name])
    for one, other in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["lion", "lamb", "adam", "rmsprop", "nadamw", "muon"])
def test_timms_other_optimizers_lower_the_loss(name):
    config = TrainingConfig(optimizer=name, lr=0.01, precision="float32", clip_grad=None)
    model = network().train()
    step = Step(model, create_optimizer(model, config, CPU), config, CPU)
    losses = [float(step(*batch())) for _ in range(30)]
    assert losses[-1] < 0.9 * losses[0]


def test_layer_decay_lowers_the_rates_of_early_layers():
    import timm

    import vision

    assert vision.__name__  # registers the models
    model = timm.create_model("field_vit", img_size=8, in_chans=1, num_classes=3, params=20_000)
    optimizer = create_optimizer(model, TrainingConfig(layer_decay=0.5), CPU)
    scales = {group["lr_scale"] for group in optimizer.param_groups}
    assert max(scales) == 1.0 and min(scales) < 0.2 and len(scales) > 3


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_accumulated_gradients_are_those_of_the_whole_batch(parts):
    whole, split = network().train(), network().train()
    for model, count in ((whole, 1), (split, parts)):
        config = TrainingConfig(accumulation_steps=count, precision="float32", clip_grad=0.1)
        step = Step(model, create_optimizer(model, config, CPU), config, CPU)
        loss = [float(step(*batch(seed))) for seed in range(4)][-1]
        assert loss > 0
    for one, other in zip(whole.parameters(), split.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "adamv"}, "training.optimizer='adamv' is not an optimizer of timm; .*adamw"),
        ({"momentum": 0.9}, "training.momentum must be null for .*=adamw, which has none, got 0.9"),
        ({"optimizer_options": {"nesterov": True}}, "training.optimizer=adamw cannot be made .*nesterov"),
        (
            {"schedule_options": {"milestones": [1]}},
            "training.schedule=cosine cannot be made .*no argument milestones; did you mean decay_milestones",
        ),
        (
            {"optimizer_options": {"beta": 0.9}},
            "training.optimizer=adamw cannot be made with .*: it has no argument beta; did you mean betas",
        ),
    ],
)
def test_what_timm_does_not_know_is_named(changes, message):
    config = TrainingConfig(**changes)
    with pytest.raises(ValueError, match=message):
        create_schedule(create_optimizer(network(), config, CPU), config, steps=10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "linear"}, "training.schedule must be one of cosine, .*'linear'"),
        ({"accumulation_steps": 0}, "training.accumulation_steps must be at least 1"),
        ({"accumulation_steps": 9, "batch_size": 8}, "9 parts need at least as many images .*batch_size=8"),
        ({"momentum": 1.5}, "training.momentum must be 0 or from"),
        ({"cuda_graph": "yes"}, "training.cuda_graph must be one of auto, never"),
        ({"memory_format": "nhwc"}, "training.memory_format must be one of auto, contiguous, channels_last"),
    ],
)
def test_settings_out_of_range_are_named(small_run: RunConfig, changes, message):
    from dataclasses import replace

    with pytest.raises(ValueError, match=message):
        check(replace(small_run, training=replace(small_run.training, **changes)))


def test_a_wrong_option_of_the_schedule_is_told_once():
    config = TrainingConfig(schedule="multistep", schedule_options={"decay_milestone": [0.5]})
    with pytest.raises(ValueError, match="did you mean decay_milestones") as refused:
        try_recipe(config)
    assert str(refused.value).count("cannot be made") == 1
