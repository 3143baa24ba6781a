"""The share of a GPU's memory that this process may use, where several processes share one GPU.

>>> gpu_share()
1.0
"""

import os

GPU_SHARE = "VISION_GPU_SHARE"  # environment variable, set by hydra/launcher=gpu


def gpu_share() -> float:
    """Return the share, in (0, 1]."""
    return float(os.environ.get(GPU_SHARE, 1.0))
