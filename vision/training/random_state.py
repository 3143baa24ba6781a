"""The states of all global random generators, as values that torch.load reads with weights_only.

>>> state = random_state()
>>> drawn = torch.rand(1)
>>> set_random_state(state)
>>> bool(torch.rand(1) == drawn)
True
"""

# torch.from_numpy has no types.
# pyright: reportUnknownMemberType=false

import random
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from vision.dynamic import StateDict

State = StateDict


def random_state() -> State:
    """Return the states of Python's, NumPy's and torch's global generators, also those of CUDA devices."""
    kind, keys, position, has_gauss, cached = cast(
        "tuple[str, NDArray[np.uint32], int, int, float]", np.random.get_state()
    )
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: State) -> None:
    """Put back what `random_state` returned."""
    random.setstate(state["python"])
    kind, keys, *others = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *others))
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
