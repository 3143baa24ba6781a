"""The settings training.device, training.precision and training.memory_format, resolved on this machine.

>>> resolve_device("cpu")
device(type='cpu')
"""

from contextlib import AbstractContextManager

import torch
from torch import nn

from vision.config import gpu_share


def resolve_device(name: str, *, setting: str = "training.device") -> torch.device:
    """Return the device for training.device, or for another setting or argument of the same values.

    "auto" is the first of cuda, mps and cpu that is available. On a GPU that processes share through
    hydra/launcher=gpu, this process gets no more than its share of the memory.

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
            f"{setting}={name} is not available on this machine; use auto or one of {', '.join(available)}"
        )
    if name == "cuda" and gpu_share() < 1:
        torch.cuda.set_per_process_memory_fraction(gpu_share())  # pyright: ignore[reportUnknownMemberType]
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


def resolve_memory_format(name: str, model: nn.Module, device: torch.device) -> torch.memory_format:
    """Return the memory format of images and weights for the setting training.memory_format.

    "auto" is channels_last on a CUDA device, where it made a ResNet-18 almost twice as fast. A model with a
    padded nn.AvgPool2d stays contiguous: in channels_last its gradient is wrong on CUDA (PyTorch issue
    188344, seen with torch 2.11).
    """
    if name != "auto":
        return getattr(torch, "contiguous_format" if name == "contiguous" else name)
    padded = any(isinstance(module, nn.AvgPool2d) and _is_padded(module) for module in model.modules())
    return torch.channels_last if device.type == "cuda" and not padded else torch.contiguous_format


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which a model is run with the setting training.precision."""
    dtype = resolve_precision(precision, device)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def _is_padded(pool: nn.AvgPool2d) -> bool:
    padding = pool.padding
    return any(padding) if isinstance(padding, tuple) else padding > 0
