"""Training that replays one CUDA graph for each step, against the same training run eagerly."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from vision.config import AugmentConfig, TrainingConfig
from vision.data import DrawnBatches, Images, train_batches
from vision.experiment import run
from vision.training import NonFiniteLoss, fit
from vision.training.cuda_graph import CAPTURED

pytestmark = pytest.mark.cuda
STEPS = 20


class Network(nn.Module):
    """A convolution, a batch norm, dropout and a linear map."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        # No bias: before a batch norm its gradient is rounding alone, of which optimizers make whole steps.
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.norm(self.conv(x)).relu().mean((2, 3))))


def batches(device: torch.device, sizes=(16,) * STEPS, probabilities: bool = False):
    generator = torch.Generator().manual_seed(0)
    for size in sizes:
        x, y = torch.randn(size, 3, 8, 8, generator=generator), torch.randint(5, (size,), generator=generator)
        yield x.to(device), (nn.functional.one_hot(y, 5).float() if probabilities else y).to(device)


def recipe(**changes) -> TrainingConfig:
    return TrainingConfig(**{"steps": STEPS, "precision": "float32", "lr": 1e-2, **changes})


def trained(device: torch.device, model: nn.Module, config: TrainingConfig, **options):
    """The trained model, the outcome of the capture, and the mean losses between evaluations."""
    losses: list[float] = []
    given = list(batches(device, **options))
    done = fit(
        copy.deepcopy(model).to(device),
        given,
        config,
        steps=len(given),
        device=device,
        on_evaluation=lambda _, metrics: losses.append(metrics["train_loss"]),
    )
    return done.model, done.cuda_graph, losses


def state(model: nn.Module) -> Tensor:
    return torch.cat([value.double().flatten().cpu() for value in model.state_dict().values()])


SAME = [
    {},
    {"ema_decay": 0.9},
    {"clip_grad": None},
    {"clip_grad": 0.05},
    {"accumulation_steps": 2},
    {"memory_format": "channels_last"},
    {"memory_format": "contiguous"},
    {"optimizer": "sgd", "lr": 0.1},
    {"optimizer": "sgd", "optimizer_options": {"nesterov": False}, "momentum": 0.5, "lr": 0.1},
    {"optimizer": "adam"},
    {"optimizer": "lion", "lr": 1e-3},
    {"optimizer": "rmsprop", "lr": 1e-3},
    {"optimizer": "lamb"},
    {"schedule": "multistep", "schedule_options": {"decay_milestones": [0.5], "decay_rate": 0.1}},
    {"schedule": "constant", "warmup_fraction": 0.0},
    {"precision": "bfloat16"},
]


@pytest.fixture(autouse=True)
def _same_algorithms():
    """Without this, cuDNN chooses convolutions that add in another order each time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    yield
    torch.backends.cudnn.deterministic = before


@pytest.mark.parametrize("changes", SAME, ids=str)
def test_captured_steps_train_as_eager_ones(cuda, changes, difference):
    config = recipe(**changes)
    eager, outcome, wanted = trained(cuda, Network(), recipe(**changes, cuda_graph="never"))
    assert outcome == "training.cuda_graph=never"
    model, outcome, losses = trained(cuda, Network(), config)
    assert outcome == CAPTURED
    tolerance = 1e-4 if config.precision == "float32" else 2e-2
    assert losses == pytest.approx(wanted, rel=tolerance)
    assert difference(state(model), state(eager)) < tolerance
    assert difference(state(eager), state(Network())) > tolerance, "nothing was learned"


def test_a_batch_of_another_size_runs_eagerly_in_between(cuda, difference):
    sizes = (16,) * 8 + (10,) + (16,) * 8
    for optimizer in ("adamw", "lion"):  # one within the graph, one outside
        own = {"optimizer": optimizer, "lr": 1e-3}
        eager, _, _ = trained(cuda, Network(), recipe(**own, cuda_graph="never"), sizes=sizes)
        model, outcome, _ = trained(cuda, Network(), recipe(**own), sizes=sizes)
        assert outcome == CAPTURED
        assert difference(state(model), state(eager)) < 1e-4, optimizer


def test_batches_are_made_within_the_graph(cuda, difference):
    """The order and the augmentation of images in the device's memory are those of the eager run."""
    pixels = torch.randint(256, (90, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = Images(pixels.to(cuda), torch.arange(90) % 5)

    def after(cuda_graph: str) -> nn.Module:
        drawn = train_batches(
            images,
            torch.arange(90),
            batch_size=16,
            mean=[0.5] * 3,
            std=[0.2] * 3,
            seed=3,
            augment=AugmentConfig(crop_padding=2, flip=True),
            device=cuda,
        )
        assert isinstance(drawn, DrawnBatches)
        model, config = Network().to(cuda), recipe(cuda_graph=cuda_graph)
        done = fit(model, drawn, config, steps=250, device=cuda)
        assert (done.cuda_graph == CAPTURED) == (cuda_graph == "auto")
        return done.model

    assert difference(state(after("auto")), state(after("never"))) < 1e-3


def test_probabilities_as_targets(cuda, difference):
    eager, _, _ = trained(cuda, Network(), recipe(cuda_graph="never"), probabilities=True)
    model, outcome, _ = trained(cuda, Network(), recipe(), probabilities=True)
    assert outcome == CAPTURED and difference(state(model), state(eager)) < 1e-4


def test_dropout_draws_again_in_each_replay(cuda):
    losses: list[float] = []
    model = Network(dropout=0.5).to(cuda)
    one = next(batches(cuda))
    fit(
        model,
        [one] * STEPS,
        recipe(lr=1e-9, num_evaluations=STEPS),
        steps=STEPS,
        device=cuda,
        on_evaluation=lambda _, metrics: losses.append(metrics["train_loss"]),
    )
    assert len(set(losses[5:])) > 10


class Waits(Network):
    """Reads a value on the CPU in its forward pass."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (1.0 if float(x.sum().detach()) > 0 else 0.5)


class Refuses(Network):
    """Does what a capture forbids, unseen by the check for synchronizations."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.cuda.is_current_stream_capturing():
            raise RuntimeError("not while a graph is captured")
        return super().forward(x)


REASONS = [(Waits, "the step waits for the device at"), (Refuses, "the capture failed: not while")]


@pytest.mark.parametrize(("kind", "reason"), REASONS)
def test_what_cannot_be_captured_runs_eagerly_with_the_reason(cuda, kind, reason, difference):
    eager, _, wanted = trained(cuda, kind(), recipe(cuda_graph="never"))
    model, outcome, losses = trained(cuda, kind(), recipe())
    assert outcome.startswith(reason)
    assert losses == pytest.approx(wanted, rel=1e-4) and difference(state(model), state(eager)) < 1e-4
    # What comes after is captured all the same.
    assert trained(cuda, Network(), recipe())[1] == CAPTURED


def test_a_loss_that_is_not_finite_is_noticed(cuda):
    def poisoned():
        for number, (x, y) in enumerate(batches(cuda), start=1):
            yield (x * float("nan") if number == 13 else x), y

    with pytest.raises(NonFiniteLoss) as caught:
        fit(Network().to(cuda), poisoned(), recipe(), steps=STEPS, device=cuda)
    assert caught.value.step == 13


MODELS = ["field_vit", "field_local", "field_gated", "field_recurrent", "resnet18_small"]


@pytest.mark.parametrize("name", MODELS)
def test_the_steps_of_whole_runs_are_captured(cuda, small_run, name):
    training = replace(small_run.training, steps=10, device="cuda", precision="auto")
    model = replace(small_run.model, name=name, kwargs={"params": 20_000})
    result = run(replace(small_run, training=training, model=model, sweep=name))
    assert result["cuda_graph"] == CAPTURED
    assert 0 <= result["test_accuracy"] <= 1
