"""Train a model for a number of steps, and score it. Nothing here knows files or names of models.

>>> model = nn.Linear(2, 2)
>>> batches = [(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))]
>>> evaluate(model, batches, device=torch.device("cpu")).predictions.shape
torch.Size([4])
"""

# Tensor.backward and timm's ModelEmaV3 have no types.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from timm.optim import create_optimizer_v2  # pyright: ignore[reportPrivateImportUsage]
from timm.scheduler.cosine_lr import CosineLRScheduler
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from vision.config import TrainingConfig

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


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean cross-entropy in nats, accuracy in [0, 1], and for each image its class (N,) and logits (N, K)."""

    loss: float
    accuracy: float
    predictions: Tensor
    logits: Tensor


def resolve_device(name: str) -> torch.device:
    """Return the device for the setting training.device.

    "auto" is the first of cuda, mps and cpu that is available.

    Raises:
        ValueError: the device is not available.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if name == "auto":
        name = available[0]
    if name not in available:
        raise ValueError(
            f"training.device={name} is not available on this machine; use auto or one of "
            f"{', '.join(available)}"
        )
    return torch.device(name)


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of autocast for the setting training.precision.

    "auto" is bfloat16 where the device has instructions for it, otherwise float32. These are CUDA devices
    from compute capability 8.0 on, and CPUs with AVX-512 BF16 or AMX.
    """
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():  # pyright: ignore[reportPrivateUsage]
        return torch.bfloat16
    return torch.float32


def budget_steps(config: TrainingConfig, train_images: int) -> int:
    """Return the number of optimizer steps.

    A budget in epochs is counted over `train_images`; it is at least `config.min_steps`.
    """
    if config.steps is not None:
        return config.steps
    return max(config.min_steps or 1, math.ceil((config.epochs or 1.0) * train_images / config.batch_size))


def fit(
    model: nn.Module,
    batches: Iterable[Batch],
    config: TrainingConfig,
    *,
    steps: int,
    device: torch.device,
    on_step: Callable[[int], None] | None = None,
    on_evaluation: Callable[[nn.Module, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Train `model` in place with AdamW and a cosine schedule after a linear warm-up.

    Args:
        model: on `device`.
        batches: at least `steps` batches of images (B, C, H, W) and targets. Targets are class indices (B,)
            or, with Mixup or CutMix, probabilities (B, num_classes).
        config: the recipe.
        steps: optimizer steps; further batches are not read.
        device: where the batches are.
        on_step: called after each step with its number, from 1.
        on_evaluation: called `config.num_evaluations` times, the last time after the last step. Its
            arguments are the model to evaluate, and step, lr and the mean training loss since the last call.

    Returns:
        The model to evaluate: the moving average of the weights if `config.ema_decay` is set, otherwise
        `model`.

    Raises:
        NonFiniteLoss: a loss is not finite; reports the first such step.
    """
    optimizer = create_optimizer_v2(
        model,
        opt="adamw",
        lr=config.lr,
        weight_decay=config.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )
    warmup = round(config.warmup_fraction * steps)
    schedule = CosineLRScheduler(
        optimizer,
        t_initial=max(1, steps - warmup),
        warmup_t=warmup,
        warmup_lr_init=config.lr / (warmup + 1),
        warmup_prefix=True,
        t_in_epochs=False,
    )
    ema = ModelEmaV3(model, decay=config.ema_decay, use_warmup=True) if config.ema_decay else None
    evaluated: nn.Module = cast(nn.Module, ema.module) if ema else model
    forward = torch.compile(model) if config.compile else model
    autocast = _autocast(config.precision, device)
    evaluation_steps = _evaluation_steps(steps, config.num_evaluations)
    history: list[_Step] = []
    # Listed once: listing them for each clipping took 1% of a small model's step.
    parameters = list(model.parameters())

    model.train()
    for step, (images, targets) in enumerate(batches, start=1):
        schedule.step_update(step - 1)
        lr = optimizer.param_groups[0]["lr"]
        with autocast:
            logits = forward(images)
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=config.label_smoothing)
        loss.backward()
        if config.clip_grad is not None:
            nn.utils.clip_grad_norm_(parameters, config.clip_grad)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if ema:
            ema.update(model, step=step)
        history.append(_Step(step, lr, loss.detach()))
        if device.type == "cpu" and not math.isfinite(loss.item()):
            raise NonFiniteLoss(step, lr, loss.item())
        if step in evaluation_steps:
            _check_finite(history)
            mean_loss = float(torch.stack([past.loss for past in history]).mean())
            history.clear()
            if on_evaluation:
                on_evaluation(evaluated, {"step": step, "lr": lr, "train_loss": mean_loss})
                model.train()
        if on_step:
            on_step(step)
        if step == steps:
            break
    return evaluated


def evaluate(
    model: nn.Module, batches: Iterable[Batch], *, device: torch.device, precision: str = "auto"
) -> Scores:
    """Score `model` in eval mode on batches of images (B, C, H, W) and class indices (B,).

    The model stays in eval mode.
    """
    model.eval()
    loss, hits = torch.zeros((), device=device), torch.zeros((), device=device)
    outputs: list[Tensor] = []
    with torch.inference_mode(), _autocast(precision, device):
        for images, targets in batches:
            logits = model(images).float()
            loss += F.cross_entropy(logits, targets, reduction="sum")
            hits += (logits.argmax(dim=1) == targets).sum()
            outputs.append(logits.cpu())
    logits = torch.cat(outputs)
    return Scores(float(loss) / len(logits), float(hits) / len(logits), logits.argmax(dim=1), logits)


def _autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    dtype = resolve_precision(precision, device)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def _evaluation_steps(steps: int, evaluations: int) -> set[int]:
    count = min(steps, evaluations)
    return {round(steps * part / count) for part in range(1, count + 1)}


class _Step(NamedTuple):
    step: int
    lr: float
    loss: Tensor


def _check_finite(history: list[_Step]) -> None:
    finite = torch.stack([past.loss for past in history]).isfinite()
    if not bool(finite.all()):
        first = history[int(finite.int().argmin())]
        raise NonFiniteLoss(first.step, first.lr, float(first.loss))
