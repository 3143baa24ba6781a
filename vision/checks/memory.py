"""The memory that a run may use.

>>> gigabytes(2.5e9)
'2.5 GB'
"""

import os

import torch

from vision.config import gpu_share


def memory_of(device: torch.device) -> int:
    """Return the bytes of memory of the device."""
    if device.type == "cuda":
        return int(gpu_share() * torch.cuda.mem_get_info(device)[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def gigabytes(size: float) -> str:
    """Return bytes as a text."""
    return f"{size / 1e9:,.1f} GB"
