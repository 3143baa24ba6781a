"""One training step: forward, loss, backward, clipping and optimizer.

>>> model = torch.nn.Linear(2, 2)
>>> step = Step(model, torch.optim.SGD(model.parameters(), lr=0.1), TrainingConfig(), torch.device("cpu"))
>>> loss = step(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))
"""

# Tensor.backward has no types.
# pyright: reportUnknownMemberType=false

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vision.config import TrainingConfig
from vision.text import first_line
from vision.training.devices import autocast, resolve_memory_format
from vision.training.memory import OutOfMemory, free_cached, is_out_of_memory
from vision.training.processes import averaging, is_shared, mean_over_processes


class Step:
    """images (B, C, H, W) and targets -> the loss, detached; the weights are updated.

    Targets are class indices (B,) or probabilities (B, num_classes).

    Args:
        model: on `device`, in training mode whenever the step is called.
        optimizer: of its parameters.
        config: the recipe.
        device: where the batches are.

    Attributes:
        parts: of a batch, which go through the model one after another; training.accumulation_steps, and
            twice as many each time that memory ran out, with training.out_of_memory=halve.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        self.optimizer, self.config = optimizer, config
        self.parts, self._device = config.accumulation_steps, device
        shared = averaging(model)
        self._model = torch.compile(shared) if config.compile else shared
        # Listed once: listing them for each clipping took 1% of a small model's step.
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._autocast = autocast(config.precision, device)
        self.memory_format = resolve_memory_format(config.memory_format, model, device)
        model.to(memory_format=self.memory_format)  # pyright: ignore[reportCallIssue]

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        """Make the step; the gradients are None before and after it."""
        loss = self.backward(images, targets)
        self.update()
        return loss

    def backward(self, images: Tensor, targets: Tensor) -> Tensor:
        """Compute the gradients, clipped, and return the loss, both over the batches of all processes.

        Raises:
            OutOfMemory: the batch needs more memory than there is.
        """
        while (loss := self._try(images, targets)) is None:
            self.parts *= 2
        if self.config.clip_grad is not None:
            nn.utils.clip_grad_norm_(self._parameters, self.config.clip_grad)
        return mean_over_processes(loss)

    def _try(self, images: Tensor, targets: Tensor) -> Tensor | None:
        """Return the loss; None if memory ran out, and smaller parts may be tried."""
        try:
            return self._gradients(images, targets)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = first_line(error)
        # The error is gone by now, and with it the activations that its traceback holds.
        self.optimizer.zero_grad(set_to_none=True)
        free_cached(self._device)
        may_halve = self.config.out_of_memory == "halve" and not is_shared()  # the others would wait
        if not may_halve or 2 * self.parts > len(images):
            raise OutOfMemory(len(images), self.parts, reason)
        return None

    def _gradients(self, images: Tensor, targets: Tensor) -> Tensor:
        if self.parts > 1:
            return self._accumulate(images, targets, self.parts)
        loss = self._loss(images, targets)
        loss.backward()
        return loss.detach()

    def update(self) -> None:
        """Update the weights by their gradients."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _loss(self, images: Tensor, targets: Tensor) -> Tensor:
        if self.memory_format == torch.channels_last and images.ndim == 4:
            images = images.to(memory_format=torch.channels_last)
        with self._autocast:
            logits = self._model(images)
        return F.cross_entropy(logits.float(), targets, label_smoothing=self.config.label_smoothing)

    def _accumulate(self, images: Tensor, targets: Tensor, parts: int) -> Tensor:
        """Sum the gradients of the batch's parts; the loss is the mean over all its images."""
        total = torch.zeros((), device=images.device)
        for x, y in zip(images.chunk(parts), targets.chunk(parts), strict=True):
            loss = self._loss(x, y) * (len(x) / len(images))
            loss.backward()
            total += loss.detach()
        return total
