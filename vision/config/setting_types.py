"""The types of all settings by dotted name.

>>> dict(setting_types())["data.augment.flip"]
<class 'bool'>
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import get_type_hints

from vision.config.run import RunConfig


def setting_types(kind: type = RunConfig, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted name and the type of each setting; those of a part come before the part itself."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        name, hint = f"{prefix}{field.name}", hints[field.name]
        if isinstance(hint, type) and is_dataclass(hint):
            yield from setting_types(hint, f"{name}.")
        yield name, hint
