"""One observed forward pass: what each module reads, which functions it calls, and who reads its output.

>>> observe(nn.Sequential(nn.Conv2d(3, 8, 3)), (3, 16, 16)).modules["0"].input_shape
(3, 16, 16)
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.overrides import resolve_name as _resolve_name  # pyright: ignore[reportUnknownVariableType]
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from vision.convert.modules import named_modules
from vision.dynamic import Arguments
from vision.models.modes import evaluating

BATCH = 2  # images in the pass: with a single one, mixing the images of a batch would not be noticed
# What may be read of a tensor without reading its values.
_METADATA = ("shape", "dtype", "device", "ndim", "layout", "is_cuda", "requires_grad", "is_leaf", "grad_fn")
_METADATA_CALLS = ("size", "dim", "ndimension", "numel", "__len__", "is_floating_point")


@dataclass
class FunctionCall:
    """A call of one of torch's functions, directly in the forward of a module.

    Attributes:
        function: the last part of its name, such as avg_pool2d.
        args: positional arguments, the first of which is the input.
        kwargs: keyword arguments.
        order: position in the order of execution.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: Arguments
    order: int = 0


@dataclass
class ModuleCall:
    """What one module did in the pass.

    Attributes:
        order: position in the order of execution.
        input_shape: (C, *size) of the first tensor that it read, without the batch axis.
        batch: length of that tensor's first axis.
        argument_names: names of the arguments that its forward got.
        runs: how often it ran.
        function_calls: calls of torch's functions by itself, not by its submodules.
        output_shape: that of the tensor that its last run returned, with the batch axis.
        input_id, output_id: id() of the first tensor that it read, and of the one that it returned.
    """

    order: int
    input_shape: tuple[int, ...]
    batch: int = BATCH
    argument_names: frozenset[str] = frozenset()
    runs: int = 0
    function_calls: list[FunctionCall] = field(default_factory=list[FunctionCall])
    output_shape: tuple[int, ...] = ()
    input_id: int = 0
    output_id: int = 0

    @property
    def calls_per_run(self) -> list[FunctionCall]:
        """The function calls of the first run, since a shared module may run several times."""
        return self.function_calls[: len(self.function_calls) // max(1, self.runs)]


@dataclass
class Observation:
    """What a forward pass showed.

    Attributes:
        modules: by name; the root's name is "". Modules that did not run are missing.
        images: the input.
        output: what the model returned.
    """

    modules: dict[str, ModuleCall]
    images: Tensor
    output: object
    _readers: dict[int, set[str]]
    _outputs: list[Tensor]  # while a tensor lives, no other has its id

    def is_read_only_by(self, name: str, reader: str) -> bool:
        """Return whether the output of module `name` is read by module `reader` and by nothing else."""
        first, second = self.modules.get(name), self.modules.get(reader)
        if first is None or second is None or first.runs != 1 or second.runs != 1:
            return False
        returned = any(id(tensor) == first.output_id for tensor in tensors_in(self.output))
        connected = first.output_id == second.input_id
        return connected and not returned and self._readers[first.output_id] <= {reader}

    def owns_parameters(self, name: str, module: nn.Module) -> bool:
        """Return whether the parameters and buffers of module `name` are read by nothing else."""
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        return all(self._readers.get(id(tensor), set()) <= {name} for tensor in own)


def observe(model: nn.Module, input_shape: tuple[int, ...]) -> Observation:
    """Run a model in evaluation mode on BATCH random images of shape (C, *size) and record what happens.

    The model is left as it was.
    """
    like = next(iter([*model.parameters(), *model.buffers()]), torch.zeros(()))
    x = torch.randn(BATCH, *input_shape, generator=torch.Generator().manual_seed(0))
    x = x.to(like.device, like.dtype if like.is_floating_point() else None)
    recorder = _Recorder()
    with recorder.hooks_on(model), recorder:
        output = run(model, x.clone())
    return Observation(recorder.modules, x, output, recorder.readers, recorder.outputs)


def run(model: nn.Module, images: Tensor) -> object:
    """Return the output of a model in evaluation mode, without gradients. Its modes are restored."""
    with evaluating(model), torch.no_grad():
        return model(images)


def tensors_in(output: object) -> list[Tensor]:
    """Return the tensors in a model's output: in containers, and in the attributes of other objects."""
    tensors: list[Tensor] = []
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            tensors.append(leaf)
        elif hasattr(leaf, "__dict__") and not isinstance(leaf, nn.Module):
            tensors += [inner for inner in tree_leaves(vars(leaf)) if isinstance(inner, Tensor)]
    return tensors


class _Recorder(TorchFunctionMode):
    """Records each call of torch's functions under the module that makes it."""

    def __init__(self) -> None:
        super().__init__()
        self.modules: dict[str, ModuleCall] = {}
        self.readers: dict[int, set[str]] = defaultdict(set)
        self.outputs: list[Tensor] = []
        self._stack: list[str] = []
        self._count = 0

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Arguments | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if self._stack and not _reads_metadata(func):
            name = self._stack[-1]
            call = FunctionCall(_last_name(func), args, kwargs, self._next())
            self.modules[name].function_calls.append(call)
            for leaf in tree_leaves((args, kwargs)):
                if isinstance(leaf, Tensor):
                    self.readers[id(leaf)].add(name)
        return func(*args, **kwargs)

    @contextmanager
    def hooks_on(self, model: nn.Module) -> Generator[None]:
        """Put hooks on every module of a model for the block."""
        handles: list[RemovableHandle] = []
        for name, module in named_modules(model).items():
            handles.append(module.register_forward_pre_hook(self._before(name), with_kwargs=True))
            handles.append(module.register_forward_hook(self._after(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _before(self, name: str) -> Callable[[nn.Module, tuple[object, ...], Arguments], None]:
        def hook(module: nn.Module, args: tuple[object, ...], kwargs: Arguments) -> None:
            read = next((leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)), None)
            batch, *shape = (BATCH,) if read is None else read.shape
            call = self.modules.setdefault(name, ModuleCall(self._next(), tuple(shape), batch))
            call.runs += 1
            call.input_id, call.argument_names = id(read), _argument_names(module, args, kwargs)
            self._stack.append(name)

        return hook

    def _after(self, name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def hook(module: nn.Module, args: tuple[object, ...], output: object) -> None:
            self._stack.pop()
            if isinstance(output, Tensor):
                self.outputs.append(output)
                self.modules[name].output_id = id(output)
                self.modules[name].output_shape = tuple(output.shape)

        return hook


def _reads_metadata(func: Callable[..., object]) -> bool:
    """Return whether a function only reads a tensor's shape, type or device."""
    if _last_name(func) == "__get__":
        return getattr(getattr(func, "__self__", None), "__name__", "") in _METADATA
    return _last_name(func) in _METADATA_CALLS


def _argument_names(module: nn.Module, args: tuple[object, ...], kwargs: Arguments) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(module.forward).bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):  # a forward without a signature, such as a script's
        return frozenset()


def _last_name(func: Callable[..., object]) -> str:
    name = getattr(func, "__name__", None) or _resolve_name(func) or str(func)
    return name.rpartition(".")[2]
