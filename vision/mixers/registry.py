"""A registry of token mixers by name.

>>> @register_mixer("mean")
... class Mean(nn.Module):
...     def __init__(self, dim: int, grid: Grid, *, device=None, dtype=None) -> None:
...         super().__init__()
...     def forward(self, x):
...         return x.mean(dim=1, keepdim=True).expand_as(x)
>>> timm.create_model("field_vit", img_size=8, mixer="mean", params=20_000).blocks[0].mixer
Mean()
"""

from collections.abc import Callable
from inspect import isclass
from typing import Any, Protocol, TypeVar, cast

from torch import nn

from vision.argument_types import check_type, check_types, checked, shown
from vision.attention import options as attention_options
from vision.mixers.contract import check_signatures
from vision.patches import Grid

_mixers: dict[str, Callable[..., nn.Module]] = {}


class MakeMixer(Protocol):
    """The class of a mixer: its options are keyword-only arguments."""

    __module__: str
    __qualname__: str

    def __call__(self, dim: int, grid: Grid) -> nn.Module:
        """Return the mixer for tokens of width dim on a grid."""
        ...


MixerT = TypeVar("MixerT", bound=MakeMixer)


def register_mixer(name: str) -> Callable[[MixerT], MixerT]:
    """Return a decorator that registers a class of token mixers, (B, N, C) -> (B, N, C), as mixer=NAME.

    Every backbone of this package then takes it, such as
    `timm.create_model("field_vit", mixer=NAME, mixer_options={...}, params=210_000)`. A config names the
    class's module in model.module.

    The constructor takes the width of a token and the `Grid`, and its options as keyword-only arguments.
    device and dtype are two of them, so that widths can be solved on the meta device.

    Args:
        name: the value of `mixer`.

    Raises:
        ValueError: the name is not a string, or that of another class; or the constructor or the forward
            takes other arguments.
    """

    check_type("the name of a mixer", name, str)
    if not name:
        raise ValueError("the name of a mixer must not be empty, got ''")

    def register(mixer: MixerT) -> MixerT:
        if not callable(mixer):
            raise ValueError(f"mixer {name!r} must be a class, got {shown(mixer)}")
        other: Any = _mixers.get(name, mixer)
        if (other.__module__, other.__qualname__) != (mixer.__module__, mixer.__qualname__):
            raise ValueError(f"a mixer named {name!r} is already registered, by {other.__module__}")
        check_signatures(name, mixer)
        _mixers[name] = mixer
        return mixer

    return register


def mixer_names() -> tuple[str, ...]:
    """Return the names that `create_mixer` accepts."""
    return tuple(_mixers)


def option_names(name: str) -> tuple[str, ...]:
    """Return the names of the options of the mixer `name`.

    Raises:
        ValueError: the name is unknown. The message lists those that exist.
    """
    return attention_options.option_names(_class(name))


def default_option(name: str, option: str) -> Any:
    """Return the default of an option of the mixer `name`; None if its class does not state one."""
    return attention_options.defaults(_class(name)).get(option)


@checked
def create_mixer(name: str, dim: int, grid: Grid, **options: Any) -> nn.Module:
    """Return a token mixer (B, N, C) -> (B, N, C) for tokens of width dim on a grid.

    Args:
        name: one of `mixer_names()`.
        dim: width C of a token.
        grid: grid of the tokens.
        options: keyword arguments of the mixer's class.

    Raises:
        ValueError: the name or an option is unknown, and the message lists those that exist; or an argument
            has another type than its annotation.
    """
    known = option_names(name)
    if unknown := [option for option in options if option not in known]:
        raise ValueError(f"mixer {name!r} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    make = _class(name)
    check_types(make.__init__ if isclass(make) else make, options, f" of mixer {name!r}")
    mixer = make(dim, grid, **options)
    if not isinstance(cast(object, mixer), nn.Module):
        raise ValueError(f"mixer {name!r} must be an nn.Module, got {type(mixer).__name__}")
    return mixer


def _class(name: str) -> Callable[..., nn.Module]:
    if name not in _mixers:
        raise ValueError(
            f"mixer must be one of {', '.join(_mixers)}; got {name!r}. "
            "For one of your own, import its module first"
        )
    return _mixers[name]
