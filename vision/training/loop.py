"""The training loop.

>>> model = nn.Linear(2, 2)
>>> batches = [(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))]
>>> fit(model, batches, TrainingConfig(steps=1), steps=1, device=torch.device("cpu")).cuda_graph
'the device is cpu'
"""

# timm's ModelEmaV3 has no types.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from vision.config import TrainingConfig
from vision.training.budget import evaluation_steps
from vision.training.cuda_graph import CapturedStep, why_not
from vision.training.freeze import frozen_backbone, training_mode
from vision.training.optimization import create_optimizer, create_schedule
from vision.training.step import Step

Batch = tuple[Tensor, Tensor]


class NonFiniteLoss(RuntimeError):
    """The loss is infinite or not a number. `step` counts from 1; `lr` is the learning rate of that step."""

    def __init__(self, step: int, lr: float, loss: float) -> None:
        super().__init__(
            f"the loss is {loss} at step {step}, learning rate {lr:.3g}; a smaller training.lr may help"
        )
        self.step, self.lr, self.loss = step, lr, loss

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.step, self.lr, self.loss)


@runtime_checkable
class Drawn(Protocol):
    """Batches that a CUDA graph can make, each from one tensor, such as `vision.data.DrawnBatches`."""

    draws: Iterator[Tensor]

    def make(self, draw: Tensor) -> Batch:
        """Return the batch of a draw, by operations on the device alone."""
        ...


class Trained(NamedTuple):
    """What a training leaves.

    Attributes:
        model: the moving average of the weights if training.ema_decay is set, otherwise the model itself.
        steps: optimizer steps made.
        cuda_graph: "captured" if the steps were replayed as one CUDA graph, otherwise why they ran eagerly.
    """

    model: nn.Module
    steps: int
    cuda_graph: str


def fit(
    model: nn.Module,
    batches: Iterable[Batch],
    config: TrainingConfig,
    *,
    steps: int,
    device: torch.device,
    on_step: Callable[[int], None] | None = None,
    on_evaluation: Callable[[nn.Module, dict[str, float]], bool | None] | None = None,
) -> Trained:
    """Train `model` in place.

    Args:
        model: on `device`.
        batches: at least `steps` batches of images (B, C, H, W) and targets. Targets are class indices (B,)
            or, with Mixup or CutMix, probabilities (B, num_classes). Those of `Drawn` are made within the
            CUDA graph.
        config: the recipe.
        steps: optimizer steps; further batches are not read.
        device: where the batches are.
        on_step: called after each step with its number, from 1.
        on_evaluation: called `config.num_evaluations` times, the last time after the last step. Its
            arguments are the model to evaluate, and step, lr and the mean training loss since the last call.
            If it returns True, training stops.

    Raises:
        NonFiniteLoss: a loss is not finite; reports the first such step.
        ValueError: the optimizer or the schedule cannot be made, or a model to freeze has no classifier.
    """
    with frozen_backbone(model, enabled=config.freeze_backbone):
        optimizer = create_optimizer(model, config, device)
        schedule = create_schedule(optimizer, config, steps=steps)
        eager = Step(model, optimizer, config, device)
        reason = why_not(config.cuda_graph, device)
        drawn = batches if reason is None and isinstance(batches, Drawn) else None
        captured = None if reason else CapturedStep(eager, drawn.make if drawn else None)
        make_step = captured or eager
        ema = ModelEmaV3(model, decay=config.ema_decay, use_warmup=True) if config.ema_decay else None
        evaluated: nn.Module = cast(nn.Module, ema.module) if ema else model
        evaluated_after = evaluation_steps(steps, config.num_evaluations)
        history: list[_Step] = []

        training_mode(model, config)
        step, stopped = 0, False
        for step, inputs in enumerate(((draw,) for draw in drawn.draws) if drawn else batches, start=1):
            schedule.step_update(step - 1)
            lr = optimizer.param_groups[0]["lr"]
            loss = make_step(*inputs)
            if ema:
                ema.update(model, step=step)
            history.append(_Step(step, lr, loss))
            if device.type == "cpu" and not math.isfinite(loss.item()):
                raise NonFiniteLoss(step, lr, loss.item())
            if step in evaluated_after:
                _check_finite(history)
                mean_loss = float(torch.stack([past.loss for past in history]).mean())
                history.clear()
                metrics = {"step": step, "lr": lr, "train_loss": mean_loss}
                stopped = bool(on_evaluation and on_evaluation(evaluated, metrics))
                training_mode(model, config)
            if on_step:
                on_step(step)
            if stopped or step == steps:
                break
        return Trained(evaluated, step, captured.outcome if captured else str(reason))


class _Step(NamedTuple):
    step: int
    lr: float
    loss: Tensor


def _check_finite(history: list[_Step]) -> None:
    finite = torch.stack([past.loss for past in history]).isfinite()
    if not bool(finite.all()):
        first = history[int(finite.int().argmin())]
        raise NonFiniteLoss(first.step, first.lr, float(first.loss))
