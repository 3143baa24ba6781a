"""A training step that a GPU replays as one CUDA graph, without a launch from the CPU for each kernel.

A small model's step is a few hundred kernels of a few microseconds. Launching them one by one takes longer
than running them.

>>> step = CapturedStep(step)  # doctest: +SKIP
>>> losses = [step(images, targets) for images, targets in batches]  # doctest: +SKIP
"""

import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor

from vision.text import first_line
from vision.training.processes import is_shared
from vision.training.step import Step

EAGER_STEPS = 3  # before the capture, so that lazy work, such as compilation, is done outside of it
CAPTURED = "captured"
_SYNCHRONIZES = "called a synchronizing CUDA operation"


class CapturedStep:
    """images (B, C, H, W) and targets, or what they are made from -> the loss, detached; weights are updated.

    The first steps run eagerly, on a stream of their own. Then forward, loss, backward, clipping and, where
    it allows this, the optimizer are captured, and each further step is one replay. Batches are copied to
    the tensors that the graph reads, and learning rates to the device. A batch of another shape, and every
    batch if the step cannot be captured, runs eagerly.

    Args:
        step: the eager step, on a CUDA device.
        make_batch: what makes a batch from the arguments of a call; it is captured too. None takes the
            arguments themselves.

    Attributes:
        outcome: "captured", or why the steps run eagerly.
        calls: steps made.
    """

    def __init__(self, step: Step, make_batch: Callable[..., tuple[Tensor, Tensor]] | None = None) -> None:
        self._make_batch = make_batch
        self.step, self.outcome = step, "fewer steps than run before a capture"
        self._optimizer = step.optimizer
        self._captures_update = _make_capturable(step.optimizer)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._synchronizations: list[str] = []
        self.calls = 0

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Make the step."""
        self.calls += 1
        if self.calls <= EAGER_STEPS:
            return self._warm_up(*inputs)
        if self.calls == EAGER_STEPS + 1:
            self._try_to_capture(*inputs)
        if self._graph is None or [x.shape for x in inputs] != [x.shape for x in self._inputs]:
            return self.step(*self._batch(*inputs))
        for kept, given in zip(self._inputs, inputs, strict=True):
            kept.copy_(given, non_blocking=True)
        if self._captures_update:
            for tensor, group in zip(self._rates, self._optimizer.param_groups, strict=True):
                tensor.fill_(group["lr"])
        self._graph.replay()
        if not self._captures_update:
            for parameter, gradient in self._gradients:
                parameter.grad = gradient
            self.step.update()
        return self._loss.clone()

    def _batch(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        images, targets = self._make_batch(*inputs) if self._make_batch else inputs
        return images, targets

    def _warm_up(self, *inputs: Tensor) -> Tensor:
        """Make the step on a side stream, as the capture will; note where it waits for the device."""
        main, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(main)
        with torch.cuda.stream(side):
            with _noted_synchronizations() as self._synchronizations:
                loss = self._captured_part(*inputs)
            if not self._captures_update:
                self.step.update()
        main.wait_stream(side)
        return loss

    def _captured_part(self, *inputs: Tensor) -> Tensor:
        loss = self.step.backward(*self._batch(*inputs))
        if self._captures_update:
            self.step.update()
        return loss

    def _try_to_capture(self, *inputs: Tensor) -> None:
        if self._synchronizations:
            self.outcome = f"the step waits for the device at {self._synchronizations[0]}"
            return
        try:
            self._capture(*inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.outcome = f"the capture failed: {first_line(error)}"
            self._optimizer.zero_grad(set_to_none=True)

    def _capture(self, *inputs: Tensor) -> None:
        """Record one step; nothing is computed by this."""
        self._inputs = [x.clone() for x in inputs]
        rates = [group["lr"] for group in self._optimizer.param_groups]
        self._rates = [torch.full((), rate, device=inputs[0].device) for rate in rates]
        graph = torch.cuda.CUDAGraph()
        # Other threads, such as those that read images, may go on with calls that a capture does not allow.
        with self._rates_on_the_device(), torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._loss = self._captured_part(*self._inputs)
        # An optimizer outside of the graph reads the gradients that each replay leaves here.
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        self._gradients = [(parameter, parameter.grad) for parameter in parameters]
        self._optimizer.zero_grad(set_to_none=True)
        self._graph, self.outcome = graph, CAPTURED

    @contextmanager
    def _rates_on_the_device(self) -> Generator[None]:
        """Let the optimizer read its learning rates from tensors, which each replay then reads again."""
        groups = self._optimizer.param_groups
        before = [group["lr"] for group in groups]
        if self._captures_update:
            for group, tensor in zip(groups, self._rates, strict=True):
                group["lr"] = tensor
        try:
            yield
        finally:
            for group, rate in zip(groups, before, strict=True):
                group["lr"] = rate


def why_not(cuda_graph: str, device: torch.device) -> str | None:
    """Return why training.cuda_graph, the device or other processes rule out a capture, or None."""
    if cuda_graph == "never":
        return "training.cuda_graph=never"
    if device.type == "cuda" and is_shared():
        return "several processes train the run"
    return None if device.type == "cuda" else f"the device is {device.type}"


def _make_capturable(optimizer: torch.optim.Optimizer) -> bool:
    """Keep the optimizer's state on the device; return whether its step can then be captured."""
    if isinstance(optimizer, torch.optim.SGD):
        return all(group["fused"] for group in optimizer.param_groups)
    if "capturable" not in optimizer.defaults:
        return False
    for group in optimizer.param_groups:
        group["capturable"] = True
    return True


@contextmanager
def _noted_synchronizations() -> Generator[list[str]]:
    """List where the CPU waits for the device inside the block, by PyTorch's own check."""
    found: list[str] = []
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(before)
    found += [f"{w.filename}:{w.lineno}" for w in caught if _SYNCHRONIZES in str(w.message)]
