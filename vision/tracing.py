"""Whether a tracer is active, and a cache that never keeps what a tracer has made.

>>> is_traced()
False
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def is_traced() -> bool:
    """Return whether torch.compile, export, jit, func, a fake tensor mode or the meta device is active.

    Code that is traced needs plain operations, and tensors made now belong to the tracer.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return True
    if torch._C._are_functorch_transforms_active():  # pyright: ignore[reportPrivateUsage]
        return True
    made_now = torch.empty(0)
    return type(made_now) is not Tensor or made_now.is_meta


def cached(
    maxsize: int, *, read_while_traced: bool = False
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Cache the results of a function, except those made while a tracer is active.

    Tensors are built outside inference mode and without gradients, so that a result first built during an
    evaluation also serves a backward pass. The arguments must be hashable.

    Args:
        maxsize: results to keep; the oldest one goes first.
        read_while_traced: also return results from the cache while a tracer is active. They become constants
            of its graph. Needed by functions that read the values of tensors, which a tracer cannot do.
    """

    def decorate(build: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        results: dict[tuple[object, ...], Result] = {}

        @wraps(build)
        def read(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            key, traced = (*args, *kwargs.items()), is_traced()
            if (read_while_traced or not traced) and key in results:
                return results[key]
            if traced:
                return build(*args, **kwargs)
            with torch.inference_mode(False), torch.no_grad():
                result = build(*args, **kwargs)
            while len(results) >= maxsize:
                results.pop(next(iter(results)), None)
            return results.setdefault(key, result)

        return read

    return decorate
