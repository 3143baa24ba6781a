"""Whether a tracer is active, and a cache that never keeps what a tracer has made.

>>> is_traced()
False
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

import torch
import torch.fx
from torch import Tensor, nn

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_caches: dict[Callable[..., object], Callable[..., object]] = {}  # of each cached function


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


def is_any_size(size: int) -> bool:
    """Return whether a graph is exported for any value of this size: a comparison would limit its values."""
    return torch.compiler.is_exporting() and isinstance(size, torch.SymInt)


def fx_call(module: nn.Module, *inputs: Tensor | None) -> Tensor | None:
    """Record a call of a module where torch.fx traces symbolically, and return its proxy; otherwise None.

    This is for a forward that reads the shape of its input, which a proxy does not know. The module becomes a
    leaf of the graph, as torch's own modules are.
    """
    if not isinstance(inputs[0], torch.fx.Proxy):
        return None
    tracer: Any = inputs[0].tracer
    return tracer.create_proxy("call_module", tracer.path_of_module(module), inputs, {})


def cached(
    maxsize: int, *, read_while_traced: bool = False
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Cache the results of a function, except those made while a tracer is active.

    Tensors are built outside inference mode and without gradients, so that a result first built during an
    evaluation also serves a backward pass. The arguments must be hashable.

    Args:
        maxsize: number of results to keep; the one not used for longest is dropped first.
        read_while_traced: also return results from the cache while a tracer is active. They become constants
            of its graph. Needed by functions that read the values of tensors, which a tracer cannot do.
    """

    def decorate(build: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        # Not in the closure of `read`: Dynamo cannot inline a method of a new object that closes over it.
        _caches[build] = lru_cache(maxsize=maxsize)(build)
        for_tracers: dict[tuple[object, ...], Result] = {}

        @wraps(build)
        def read(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            traced = is_traced()
            if traced and not read_while_traced:
                return build(*args, **kwargs)
            key = (*args, *kwargs.items())
            if traced:
                return for_tracers[key] if key in for_tracers else build(*args, **kwargs)
            with torch.inference_mode(False), torch.no_grad():
                result = cast(Result, _caches[build](*args, **kwargs))
            if read_while_traced and key not in for_tracers:
                if len(for_tracers) >= maxsize:
                    for_tracers.clear()
                for_tracers[key] = result
            return result

        return read

    return decorate
