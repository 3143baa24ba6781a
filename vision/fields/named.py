"""A field of your own inside a model: by its function, or by the function's name in a config.

>>> from vision.patches import Grid
>>> make_field("vision.fields.kinds:neighbourhood", Grid(8, 8), {"kernel_size": 3}).columns
9
"""

import json
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import TypeGuard, cast, get_type_hints

from vision.dynamic import Arguments
from vision.fields.field import Field
from vision.patches import Grid
from vision.reference import split_reference

FieldFunction = Callable[..., Field]


def make_field(field: Field | FieldFunction | str, grid: Grid, options: Arguments | None = None) -> Field:
    """Return a field of self-attention on a grid.

    Args:
        field: the field itself, a function Grid -> Field, or "MODULE:NAME". The module must have been
            imported, and the function must be annotated with `-> Field`. A saved model can thus neither
            import code nor call anything else.
        grid: grid of the tokens.
        options: keyword arguments of the function, as JSON can hold them.

    Raises:
        ValueError: the name leads to no such function, or the field is not on the grid.
    """
    if not isinstance(field, Field):
        function = _named(field) if isinstance(field, str) else field
        field = _made(function, grid, json.dumps(options or {}, sort_keys=True))
    elif options:
        raise ValueError(f"field_options are arguments of a function, got {options} for a finished field")
    if (field.queries, field.keys) != (grid, grid):
        raise ValueError(f"field must be on {grid}, got queries on {field.queries} and keys on {field.keys}")
    return field


@lru_cache(maxsize=64)
def _made(function: FieldFunction, grid: Grid, options: str) -> Field:
    """Return one field for all layers of a model, which then share its mask."""
    try:
        field: object = cast(Callable[..., object], function)(grid, **json.loads(options))
    except TypeError as error:
        raise ValueError(f"field_options={options} do not fit the field's function: {error}") from error
    if not isinstance(field, Field):
        raise ValueError(f"the function of a field must return a Field, got {type(field).__name__}")
    return field


def _named(reference: str) -> FieldFunction:
    module, name = split_reference("field", reference)
    if module not in sys.modules:
        raise ValueError(f"field={reference} needs its module: import {module} first")
    function: object = getattr(sys.modules[module], name, None)
    if not _returns_field(function):
        raise ValueError(
            f"field={reference} must be annotated with what it returns: def {name}(grid: Grid) -> Field"
        )
    return function


def _returns_field(function: object) -> TypeGuard[FieldFunction]:
    try:
        returned = get_type_hints(function).get("return")
    except (NameError, TypeError):  # an annotation that cannot be read, or not a function
        return False
    return isinstance(returned, type) and issubclass(returned, Field)
