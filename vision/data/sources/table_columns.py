"""Which columns of a table hold its images and its labels, and how its metadata name the classes.

>>> import pyarrow as pa
>>> find_columns(pa.schema({"id": pa.int64(), "img": pa.binary(), "label": pa.int64()}), "a.parquet").image
'img'
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

from vision.data.notes import named
from vision.dynamic import Arguments, JsonObject

Schema: TypeAlias = Any  # pyarrow.Schema
OPTIONS = ("image_column", "label_column")


class _Kind(NamedTuple):
    """How a column is recognized: its type in the metadata, and its usual names, in their order."""

    word: str
    declared: str
    usual: tuple[str, ...]


_IMAGE = _Kind("image", "Image", ("image", "img"))
_LABEL = _Kind("label", "ClassLabel", ("label", "labels", "fine_label"))


@dataclass(frozen=True, slots=True)
class Columns:
    """What a schema tells.

    Attributes:
        image: the column of the images.
        label: the column of the labels.
        classes: the names of the classes; None if the metadata have none.
        remarks: sentences on columns that may be meant too.
    """

    image: str
    label: str
    classes: tuple[str, ...] | None
    remarks: tuple[str, ...]


def find_columns(schema: Schema, table: str, options: Arguments | None = None) -> Columns:
    """Return the columns that the options name, or the metadata declare, or that have a usual name.

    Args:
        schema: of the table.
        table: what messages call it.
        options: image_column and label_column, both optional.

    Raises:
        ValueError: there is no such column, or it is there twice. The message names the table.
    """
    features = _features(cast("dict[bytes, bytes]", schema.metadata or {}))
    names = list(schema.names)
    (image, also_images), (label, also_labels) = (
        _find(kind, names, features, table, options or {}) for kind in (_IMAGE, _LABEL)
    )
    return Columns(image, label, _classes(features.get(label, {})), (*also_images, *also_labels))


def check_classes(declared: Sequence[tuple[str, tuple[str, ...] | None]]) -> tuple[str, ...] | None:
    """Return the names of the classes that tables declare; those without any follow the others.

    Args:
        declared: of each table what messages call it, and its names of classes.

    Raises:
        ValueError: two tables declare different classes.
    """
    known = [(table, classes) for table, classes in declared if classes is not None]
    for table, classes in known:
        if classes != known[0][1]:
            raise ValueError(
                f"{known[0][0]} and {table} must declare the same classes in the same order, got "
                f"{named(known[0][1])} and {named(classes)}"
            )
    return known[0][1] if known else None


def _find(
    kind: _Kind, names: list[str], features: JsonObject, table: str, options: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """Return a column, and a sentence if there are others."""
    option = f"{kind.word}_column"
    given = options.get(option)
    if given is not None and given not in names:
        raise ValueError(
            f"data.options.{option}={given!r} must be a column of {table}, which has {named(names) or 'none'}"
        )
    declared = [name for name, feature in features.items() if feature.get("_type") == kind.declared]
    declared = [name for name in declared if name in names]
    usual = [name for name in kind.usual if name in names]
    found = [*(name for name in usual if name in declared), *declared, *usual] if given is None else [given]
    if not found:
        raise ValueError(
            f"{table} needs a column of type {kind.declared} or one named {' or '.join(kind.usual)}, or "
            f"data.options.{option}; got {named([repr(name) for name in names]) or 'no columns'}"
        )
    if names.count(found[0]) > 1:
        raise ValueError(f"{table} has {names.count(found[0])} columns named {found[0]}; keep one of them")
    others = [name for name in dict.fromkeys(found) if name != found[0]]
    text = (
        f"{kind.word}s are read from the column {found[0]}, not from {named(others)}; data.options.{option}"
    )
    return found[0], [f"{text} chooses another"] if others else []


def _features(metadata: dict[bytes, bytes]) -> dict[str, JsonObject]:
    """Return Hugging Face's description of each column; none if it has another form."""
    try:
        features: Any = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    columns = cast(JsonObject, features if isinstance(features, dict) else {})
    return {name: feature for name, feature in columns.items() if isinstance(feature, dict)}


def _classes(feature: JsonObject) -> tuple[str, ...] | None:
    names = feature.get("names")
    listed = cast("list[Any]", names) if isinstance(names, list) else []
    return tuple(unicodedata.normalize("NFC", str(name)) for name in listed) or None
