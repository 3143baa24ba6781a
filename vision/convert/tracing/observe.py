"""One forward pass, watched: what each module reads, which functions it calls, and who reads its output.

>>> probe(torchvision.models.resnet18(), (3, 224, 224)).modules["conv1"].shape  # doctest: +SKIP
(3, 224, 224)
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves

from vision.models.modes import evaluating

_ASKED = ("shape", "dtype", "device", "ndim", "layout", "is_cuda", "requires_grad", "is_leaf", "grad_fn")
BATCH = 2  # images in the pass: one would hide what mixes the images of a batch


@dataclass
class Call:
    """A call of one of torch's functions, directly in the forward of a module.

    Attributes:
        function: its last name, as avg_pool2d.
        args: positional arguments, the first of them the input.
        kwargs: keyword arguments.
        order: its place in the order of execution.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    order: int = 0


@dataclass
class Seen:
    """What one module did in the pass.

    Attributes:
        order: its place in the order of execution.
        shape: (C, *size) of the first tensor that it read, the batch of BATCH left out.
        batch: length of that tensor's first axis.
        given: names of the arguments that its forward got.
        times: how often it ran.
        calls: functions of torch's that it called itself, its submodules' left out.
    """

    order: int
    shape: tuple[int, ...]
    batch: int = BATCH
    given: frozenset[str] = frozenset()
    times: int = 0
    calls: list[Call] = field(default_factory=list)
    reads: int = 0
    writes: int = 0

    @property
    def own_calls(self) -> list[Call]:
        """The calls of one run, where a shared module ran several times."""
        return self.calls[: len(self.calls) // max(1, self.times)]


@dataclass
class Probe:
    """What a forward pass showed.

    Attributes:
        modules: by name; the root's name is "". A module that did not run is not here.
        images: what it was given.
        output: what the model gave.
    """

    modules: dict[str, Seen]
    images: Tensor
    output: Any
    _readers: dict[int, set[str]]
    _kept: list[Tensor]

    def feeds_only(self, name: str, reader: str) -> bool:
        """Whether the output of `name` is read by the module `reader` and by nothing else."""
        one, other = self.modules.get(name), self.modules.get(reader)
        if one is None or other is None or one.times != 1 or other.times != 1 or one.writes != other.reads:
            return False
        returned = any(id(leaf) == one.writes for leaf in tensors_in(self.output))
        return not returned and self._readers[one.writes] <= {reader}

    def owns(self, name: str, module: nn.Module) -> bool:
        """Whether the parameters of the module `name` are read by itself and by nothing else."""
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        return all(self._readers.get(id(tensor), set()) <= {name} for tensor in own)


def probe(model: nn.Module, input_shape: tuple[int, ...]) -> Probe:
    """Run a model in evaluation mode on BATCH inputs of `input_shape` (C, *size) and tell what happened.

    The model is as it was afterwards. The inputs are random, so that nothing divides by zero.
    """
    like = next(iter([*model.parameters(), *model.buffers()]), torch.zeros(()))
    x = torch.randn(BATCH, *input_shape, generator=torch.Generator().manual_seed(0))
    x = x.to(like.device, like.dtype if like.is_floating_point() else None)
    watch = _Watch()
    with watch.on(model), watch:
        output = run(model, x.clone())
    return Probe(watch.modules, x, output, watch.readers, watch.kept)


def run(model: nn.Module, images: Tensor) -> Any:
    """images -> what the model gives in evaluation mode, without gradients; its modes come back."""
    with evaluating(model), torch.no_grad():
        return model(images)


def tensors_in(output: Any) -> list[Tensor]:
    """The tensors in what a model gives: in containers, and in the attributes of other objects."""
    found: list[Tensor] = []
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            found.append(leaf)
        elif hasattr(leaf, "__dict__") and not isinstance(leaf, nn.Module):
            found += [inner for inner in tree_leaves(vars(leaf)) if isinstance(inner, Tensor)]
    return found


class _Watch(TorchFunctionMode):
    """Notes each call of torch's functions under the module that makes it."""

    def __init__(self) -> None:
        super().__init__()
        self.modules: dict[str, Seen] = {}
        self.readers: dict[int, set[str]] = defaultdict(set)
        self.kept: list[Tensor] = []  # as long as a tensor lives, no other has its id
        self._stack: list[str] = []
        self._count = 0

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._stack and not _asks(func):
            name = self._stack[-1]
            self.modules[name].calls.append(Call(_last_name(func), args, kwargs, self._next()))
            for leaf in tree_leaves((args, kwargs)):
                if isinstance(leaf, Tensor):
                    self.readers[id(leaf)].add(name)
        return func(*args, **kwargs)

    @contextmanager
    def on(self, model: nn.Module) -> Iterator[None]:
        """Hooks on every module of a model."""
        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(self._entering(name), with_kwargs=True))
            handles.append(module.register_forward_hook(self._leaving(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _entering(self, name: str) -> Callable:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            read = next((leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)), None)
            batch, *shape = (BATCH,) if read is None else read.shape
            seen = self.modules.setdefault(name, Seen(self._next(), tuple(shape), batch))
            seen.times += 1
            seen.reads, seen.given = id(read), _given(module, args, kwargs)
            self._stack.append(name)

        return hook

    def _leaving(self, name: str) -> Callable:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            self._stack.pop()
            if isinstance(output, Tensor):
                self.kept.append(output)
                self.modules[name].writes = id(output)

        return hook


def _asks(func: Callable) -> bool:
    """Whether a function only asks for a tensor's shape, type or place."""
    if _last_name(func) == "__get__":
        return getattr(getattr(func, "__self__", None), "__name__", "") in _ASKED
    return _last_name(func) in ("size", "dim", "ndimension", "numel", "__len__", "is_floating_point")


def _given(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(module.forward).bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):  # a forward without a signature, as a script's
        return frozenset()


def _last_name(func: Callable) -> str:
    name = getattr(func, "__name__", None) or resolve_name(func) or str(func)
    return name.rpartition(".")[2]
