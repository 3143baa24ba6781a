"""A training that is made step by step, and can go on after a cut.

>>> model = nn.Linear(2, 2)
>>> training = Training(model, TrainingConfig(steps=1), steps=1, device=torch.device("cpu"))
>>> training.make_step(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))
>>> training.done
1
"""

# timm's ModelEmaV3 has no types.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from vision.config import TrainingConfig, this_process_of_run
from vision.dynamic import StateDict
from vision.training.cuda_graph import CapturedStep, why_not
from vision.training.optimization import create_optimizer, create_schedule
from vision.training.processes import is_shared
from vision.training.random_state import random_state, set_random_state
from vision.training.step import Step

Batch = tuple[Tensor, Tensor]


class NonFiniteLoss(RuntimeError):
    """The loss is infinite or not a number. `step` counts from 1; `lr` is the learning rate of that step."""

    def __init__(self, step: int, lr: float, loss: float) -> None:
        super().__init__(
            f"the loss is {loss} at step {step}, learning rate {lr:.3g}; a smaller training.lr may help"
        )
        self.step, self.lr, self.loss = step, lr, loss

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.step, self.lr, self.loss)


class Training:
    """A training that is made step by step, and whose state can be kept and put back between two steps.

    Args:
        model: on `device`; it is trained in place.
        config: the recipe.
        steps: optimizer steps of the whole training.
        device: where the batches are.
        make_batch: what makes a batch from the arguments of `make_step`, within the CUDA graph if there is
            one; None takes images and targets.

    Attributes:
        done: steps made.
        evaluated: the model to evaluate, see `TrainingResult`.

    Raises:
        ValueError: the optimizer or the schedule cannot be made.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        *,
        steps: int,
        device: torch.device,
        make_batch: Callable[[Tensor], Batch] | None = None,
    ) -> None:
        self._model, self._config, self._device = model, config, device
        self._optimizer = create_optimizer(model, config, device)
        self._schedule = create_schedule(self._optimizer, config, steps=steps)
        eager = Step(model, self._optimizer, config, device)
        self._why_eager, self._eager = why_eager(config, device), eager
        self._captured = None if self._why_eager else CapturedStep(eager, make_batch)
        self._step = self._captured or eager
        self._ema = ModelEmaV3(model, decay=config.ema_decay, use_warmup=True) if config.ema_decay else None
        self.evaluated = cast(nn.Module, self._ema.module) if self._ema else model
        self._history: list[_Step] = []
        self._seed = torch.initial_seed() % 2**40
        self.done = 0

    @property
    def cuda_graph(self) -> str:
        """ "captured" if the steps are replayed as one CUDA graph, otherwise why they run eagerly."""
        return self._captured.outcome if self._captured else str(self._why_eager)

    @property
    def parts(self) -> int:
        """Parts of a batch, see `Step`."""
        return self._eager.parts

    def make_step(self, *inputs: Tensor) -> None:
        """Make the next step, with images (B, C, H, W) and targets, or what they are made from.

        Raises:
            NonFiniteLoss: on a CPU, the loss of this step is not finite.
        """
        if is_shared():  # each process drops other units, and they depend on nothing that a cut would lose
            process = this_process_of_run()
            torch.manual_seed((self._seed + self.done) * process.count + process.rank)
        self._schedule.step_update(self.done)
        lr = self._optimizer.param_groups[0]["lr"]
        loss = self._step(*inputs)
        self.done += 1
        if self._ema:
            self._ema.update(self._model, step=self.done)
        self._history.append(_Step(self.done, lr, loss))
        if self._device.type == "cpu" and not math.isfinite(loss.item()):
            raise NonFiniteLoss(self.done, lr, loss.item())

    def metrics(self) -> dict[str, float]:
        """Return step, learning rate and the mean training loss since the last call.

        Raises:
            NonFiniteLoss: a loss since then is not finite; reports the first such step.
        """
        losses = torch.stack([past.loss for past in self._history])
        finite = losses.isfinite()
        if not bool(finite.all()):
            first = self._history[int(finite.int().argmin())]
            raise NonFiniteLoss(first.step, first.lr, float(first.loss))
        last = self._history[-1]
        self._history.clear()
        return {"step": last.step, "lr": last.lr, "train_loss": float(losses.mean())}

    def state_dict(self) -> StateDict:
        """Return all that the next step depends on, but for the batches."""
        return {
            "done": self.done,
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "ema": self._ema.module.state_dict() if self._ema else None,
            "parts": self.parts,
            "history": [(past.step, past.lr, past.loss) for past in self._history],
            "random": random_state(),
        }

    def load_state_dict(self, state: StateDict) -> None:
        """Go on where `state_dict` was called."""
        self.done = state["done"]
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._ema:
            self._ema.module.load_state_dict(state["ema"])
        self._eager.parts = state.get("parts", self.parts)
        self._history = [_Step(step, lr, loss.to(self._device)) for step, lr, loss in state["history"]]
        set_random_state(state["random"])


def why_eager(config: TrainingConfig, device: torch.device) -> str | None:
    """Return why the steps cannot be replayed as one CUDA graph; None if they can."""
    if config.out_of_memory == "halve" and device.type == "cuda":
        return "training.out_of_memory is halve"
    return why_not(config.cuda_graph, device)


class _Step(NamedTuple):
    step: int
    lr: float
    loss: Tensor
