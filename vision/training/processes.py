"""One training on several processes, each with its part of every batch, by DistributedDataParallel.

Each process draws the same batches and takes its part of them. Gradients, and the loss, are averaged over
the processes, so that all of them have the same weights as one process with whole batches.

>>> with process_group(torch.device("cpu")) as process:
...     process.count, mean_over_processes(torch.ones(()))
(1, tensor(1.))
"""

# torch.distributed has few types.
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from timm.layers.norm_act import convert_sync_batchnorm  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.parallel import DistributedDataParallel

from vision.config import ProcessOfRun, this_process_of_run

FIRST_PORT, PORTS = 20_000, 20_000

T = TypeVar("T")


@contextmanager
def process_group(device: torch.device) -> Generator[ProcessOfRun]:
    """Connect the processes of the run during the block; with one process there is nothing to connect."""
    process = this_process_of_run()
    if process.count == 1 or dist.is_initialized():
        yield process
        return
    if "MASTER_ADDR" not in os.environ:
        os.environ |= _address_in_slurm()
    if device.type == "cuda":
        torch.cuda.set_device(process.local_rank % torch.cuda.device_count())
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, rank=process.rank, world_size=process.count)
    try:
        yield process
    finally:
        dist.destroy_process_group()


def is_shared() -> bool:
    """Return whether several processes train the run, inside `process_group`."""
    return dist.is_available() and dist.is_initialized()


def from_first(value: Any = None) -> Any:
    """Return the value that process 0 gives, in every process; values are pickled."""
    if not is_shared():
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def from_all(value: T) -> list[T]:
    """Return the values of all processes in their order, in every process; values are pickled."""
    if not is_shared():
        return [value]
    values = cast(list[T], [None] * dist.get_world_size())
    dist.all_gather_object(values, value)
    return values


def mean_over_processes(value: Tensor) -> Tensor:
    """Return the mean of a tensor over the processes."""
    if is_shared():
        dist.all_reduce(value)
        value = value / dist.get_world_size()
    return value


def averaging(model: nn.Module) -> nn.Module:
    """Return a model whose backward pass averages the gradients over the processes."""
    return DistributedDataParallel(model) if is_shared() else model


def share_batch_norms(model: nn.Module, device: torch.device, processes: int) -> nn.Module:
    """Return the model with batch norms over the whole batch, if several processes train it.

    Raises:
        ValueError: the device is a CPU, where PyTorch does not synchronize batch norms.
    """
    if processes == 1 or not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return model
    if device.type != "cuda":
        raise ValueError(
            f"a model with batch norms can be trained on several processes on GPUs only, got {processes} "
            f"processes with training.device={device.type}: each would see the statistics of its own part"
        )
    return cast(nn.Module, convert_sync_batchnorm(model))


def _address_in_slurm() -> dict[str, str]:
    """Return where process 0 of the present step of Slurm can be reached."""
    nodes, job = os.environ["SLURM_STEP_NODELIST"], int(os.environ["SLURM_JOB_ID"])
    hosts = subprocess.run(
        ["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True
    )
    return {"MASTER_ADDR": hosts.stdout.split()[0], "MASTER_PORT": str(FIRST_PORT + job % PORTS)}
