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


def cached(
    maxsize: int, *, read_while_traced: bool = False
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Cache a function's last `maxsize` results, except those made while a tracer is active.

    Tensors are built outside inference mode and without gradients, so that a result first built during an
    evaluation also serves a backward pass. The arguments must be hashable.

    Args:
        read_while_traced: also return results from the cache while a tracer is active. They become constants
            of its graph. Needed by functions that read the values of tensors, which a tracer cannot do.
    """

    def decorate(build: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        keep = lru_cache(maxsize=maxsize)(build)
        for_tracers: dict[tuple[object, ...], Result] = {}

        @wraps(build)
        def read(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            key = (*args, *kwargs.items())
            if is_traced():
                return for_tracers[key] if key in for_tracers else build(*args, **kwargs)
            with torch.inference_mode(False), torch.no_grad():
                result = keep(*args, **kwargs)  # type: ignore[arg-type]
            if read_while_traced and key not in for_tracers:
                if len(for_tracers) >= maxsize:
                    for_tracers.clear()
                for_tracers[key] = result
            return result

        return read

    return decorate
