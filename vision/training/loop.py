"""The training loop.

>>> model = nn.Linear(2, 2)
>>> batches = [(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))]
>>> fit(model, batches, TrainingConfig(steps=1), steps=1, device=torch.device("cpu")).cuda_graph
'the device is cpu'
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from vision.config import TrainingConfig
from vision.dynamic import StateDict
from vision.training.budget import evaluation_steps
from vision.training.freeze import frozen_backbone, training_mode
from vision.training.resumable import Batch, Training, why_eager


@runtime_checkable
class CapturableBatches(Protocol):
    """Batches that a CUDA graph can make, each from one tensor, such as `vision.data.DrawnBatches`."""

    draws: Iterator[Tensor]

    def make(self, draw: Tensor) -> Batch:
        """Return the batch of a draw, by operations on the device alone."""
        ...


class TrainingResult(NamedTuple):
    """What a training leaves.

    Attributes:
        model: the moving average of the weights if training.ema_decay is set, otherwise the model itself.
        steps: optimizer steps made.
        cuda_graph: "captured" if the steps were replayed as one CUDA graph, otherwise why they ran eagerly.
        parts: of a batch at the last step, see `Step`.
    """

    model: nn.Module
    steps: int
    cuda_graph: str
    parts: int


def fit(
    model: nn.Module,
    batches: Iterable[Batch],
    config: TrainingConfig,
    *,
    steps: int,
    device: torch.device,
    on_step: Callable[[Training], object] | None = None,
    on_evaluation: Callable[[nn.Module, dict[str, float]], bool | None] | None = None,
    resume: StateDict | None = None,
) -> TrainingResult:
    """Train `model` in place.

    Args:
        model: on `device`.
        batches: as many batches of images (B, C, H, W) and targets as there are steps left. Targets are
            class indices (B,) or, with Mixup or CutMix, probabilities (B, num_classes). Those of
            `CapturableBatches` are made within the CUDA graph.
        config: the recipe.
        steps: optimizer steps; further batches are not read.
        device: where the batches are.
        on_step: called after each step, and after the evaluation that follows it.
        on_evaluation: called `config.num_evaluations` times, the last time after the last step. Its
            arguments are the model to evaluate, and step, lr and the mean training loss since the last call.
            If it returns True, training stops.
        resume: `Training.state_dict()` of a training that was cut; `batches` are those that follow.

    Raises:
        NonFiniteLoss: a loss is not finite; reports the first such step.
        ValueError: the optimizer or the schedule cannot be made, or a model to freeze has no classifier.
    """
    drawn = batches if why_eager(config, device) is None and isinstance(batches, CapturableBatches) else None
    inputs = ((draw,) for draw in drawn.draws) if drawn else iter(batches)
    evaluated_after = evaluation_steps(steps, config.num_evaluations)
    with frozen_backbone(model, enabled=config.freeze_backbone):
        make_batch = drawn.make if drawn else None
        training = Training(model, config, steps=steps, device=device, make_batch=make_batch)
        if resume:
            training.load_state_dict(resume)
        training_mode(model, config)
        stopped = False
        while training.done < steps and not stopped and (given := next(inputs, None)) is not None:
            training.make_step(*given)
            if training.done in evaluated_after:
                metrics = training.metrics()
                stopped = bool(on_evaluation and on_evaluation(training.evaluated, metrics))
                training_mode(model, config)
            if on_step:
                on_step(training)
    return TrainingResult(training.evaluated, training.done, training.cuda_graph, training.parts)
