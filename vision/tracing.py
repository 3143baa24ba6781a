"""Whether a tracer is active, and a cache that never keeps what a tracer has made.

>>> is_traced()
False
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def is_traced() -> bool:
    """Return whether torch.compile, export, jit, func, a fake tensor mode or the meta device is active.

    Code that is traced needs plain operations, and tensors made now belong to the tracer.
    """
    if torch.compiler.is_compiling() or torch._C._is_tracing() or torch._C._are_functorch_transforms_active():
        return True
    made_now = torch.empty(0)
    return type(made_now) is not Tensor or made_now.is_meta


def cached(maxsize: int) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Cache a function's last `maxsize` results, except those made while a tracer is active.

    Tensors are built outside inference mode and without gradients, so that a result first built during an
    evaluation also serves a backward pass. The arguments must be hashable.
    """

    def decorate(build: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        keep = lru_cache(maxsize=maxsize)(build)

        @wraps(build)
        def read(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            if is_traced():
                return build(*args, **kwargs)
            with torch.inference_mode(False), torch.no_grad():
                return keep(*args, **kwargs)  # type: ignore[arg-type]

        return read

    return decorate
