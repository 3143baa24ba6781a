"""Train a model for a budget of steps, and score it; no files, no model names.

>>> scores = evaluate(model, test_batches, device="cpu")  # doctest: +SKIP
>>> scores.accuracy  # doctest: +SKIP
0.93
"""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from vision.config import TrainingConfig

Batch = tuple[Tensor, Tensor]


class NonFiniteLoss(RuntimeError):
    """The loss became infinite or not a number; `step` counts from 1, `lr` is that step's learning rate."""

    def __init__(self, step: int, lr: float, loss: float) -> None:
        super().__init__(
            f"the loss is {loss} at step {step}, learning rate {lr:.3g}; a smaller training.lr may help"
        )
        self.step, self.lr, self.loss = step, lr, loss

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.step, self.lr, self.loss)


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean cross-entropy in nats, accuracy in [0, 1], and the predicted class of each image (N,)."""

    loss: float
    accuracy: float
    predictions: Tensor


def resolve_device(name: str) -> torch.device:
    """Device for the setting training.device; "auto" is the first of cuda, mps and cpu that there is.

    Raises:
        ValueError: the device is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, present in there.items() if present)
    if not there.get(name, False):
        present = ", ".join(device for device, is_there in there.items() if is_there)
        raise ValueError(
            f"training.device={name} is not there on this machine; take auto or one of {present}"
        )
    return torch.device(name)


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """dtype of autocast for the setting training.precision.

    "auto" is bfloat16 where the device has instructions for it: CUDA from compute capability 8.0 on, CPUs
    with AVX-512 BF16 or AMX; else float32.
    """
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return torch.float32


def budget_steps(config: TrainingConfig, train_images: int) -> int:
    """Number of optimizer steps of the budget, given in steps or in epochs over `train_images`."""
    if config.steps is not None:
        return config.steps
    return max(1, math.ceil((config.epochs or 1.0) * train_images / config.batch_size))


def fit(
    model: nn.Module,
    batches: Iterable[Batch],
    config: TrainingConfig,
    *,
    steps: int,
    device: torch.device,
    on_evaluation: Callable[[nn.Module, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Train `model` in place for `steps` batches with AdamW and a cosine schedule after a linear warm-up.

    Args:
        model: on `device`.
        batches: at least `steps` of images (B, C, H, W) and targets, class indices (B,) or, from Mixup and
            CutMix, probabilities (B, num_classes).
        config: the recipe.
        steps: optimizer steps.
        device: where the batches are.
        on_evaluation: called `config.evaluations` times, the last after the last step, with the model to
            evaluate and a record of step, lr and the mean training loss since the last call.

    Returns:
        The model to evaluate: its moving average where `config.ema` is set, else `model` itself.

    Raises:
        NonFiniteLoss: with the first step whose loss is not finite.
    """
    optimizer = create_optimizer_v2(
        model,
        opt="adamw",
        lr=config.lr,
        weight_decay=config.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )
    warmup = round(config.warmup * steps)
    schedule = CosineLRScheduler(
        optimizer,
        t_initial=max(1, steps - warmup),
        warmup_t=warmup,
        warmup_lr_init=config.lr / (warmup + 1),
        warmup_prefix=True,
        t_in_epochs=False,
    )
    ema = ModelEmaV3(model, decay=config.ema, use_warmup=True) if config.ema else None
    evaluated: nn.Module = ema.module if ema else model
    forward = torch.compile(model) if config.compile else model
    autocast = _autocast(config.precision, device)
    stops = _evaluation_steps(steps, config.evaluations)
    history: list[_Step] = []
    # Walked through once: to gather them anew for clipping took 1% of a small model's step.
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
        if step in stops:
            _check_finite(history)
            mean_loss = float(torch.stack([past.loss for past in history]).mean())
            history.clear()
            if on_evaluation:
                on_evaluation(evaluated, {"step": step, "lr": lr, "train_loss": mean_loss})
                model.train()
        if step == steps:
            break
    return evaluated


def evaluate(
    model: nn.Module, batches: Iterable[Batch], *, device: torch.device, precision: str = "auto"
) -> Scores:
    """Score `model` in eval mode on batches of images (B, C, H, W) and class indices (B,)."""
    model.eval()
    loss, hits, predictions = torch.zeros((), device=device), torch.zeros((), device=device), []
    with torch.inference_mode(), _autocast(precision, device):
        for images, targets in batches:
            logits = model(images).float()
            loss += F.cross_entropy(logits, targets, reduction="sum")
            predicted = logits.argmax(dim=1)
            hits += (predicted == targets).sum()
            predictions.append(predicted.cpu())
    guessed = torch.cat(predictions)
    return Scores(float(loss) / len(guessed), float(hits) / len(guessed), guessed)


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
