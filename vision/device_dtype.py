"""Where the parameters of a module are made, and of which type: the two keywords of PyTorch's modules."""

from typing import TypedDict

import torch


class DeviceDtype(TypedDict, total=False):
    """The keyword arguments `device` and `dtype`; without them a module takes torch's defaults."""

    device: torch.device | str | None
    dtype: torch.dtype | None
