"""Settings that a YAML file leaves to the user, written as `???`.

OmegaConf would keep the default of the schema, so `???` becomes an interpolation that raises an error.

>>> mark_missing({"root": "???", "img_size": 64})
{'root': '${must_be_given:}', 'img_size': 64}
"""

from typing import cast

from omegaconf import Node, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from vision.text import first_line

MISSING, RESOLVER = "???", "must_be_given"


def mark_missing(tree: object) -> object:
    """Return the contents of a YAML file with an interpolation in the place of each `???`."""
    OmegaConf.register_new_resolver(RESOLVER, _refuse, replace=True)
    if isinstance(tree, dict):
        return {key: mark_missing(value) for key, value in cast(dict[object, object], tree).items()}
    return f"${{{RESOLVER}:}}" if tree == MISSING else tree


def must_be_given(name: str) -> str:
    """Return the sentence that asks a user for a setting."""
    return f"{name} must be given, for example {name}=VALUE"


def reason_of(error: InterpolationResolutionError) -> str:
    """Return the sentence of a setting that must be given, or what else could not be resolved."""
    text = first_line(error)
    return text.partition(f"{ValueError.__name__} raised while resolving interpolation: ")[2] or text


def _refuse(*, _node_: Node) -> None:
    raise ValueError(must_be_given(_node_._get_full_key(None)))  # pyright: ignore[reportPrivateUsage]
