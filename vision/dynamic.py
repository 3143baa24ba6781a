"""Types of values that are known only when the program runs, named for where they come from.

Everything else has a type of its own: a dataclass, a `TypedDict`, or a `Protocol` for what torch and timm do
not declare.
"""

from collections.abc import Hashable
from typing import Any, TypeAlias

# An object of a JSON file, such as the record of a run. What reads a value knows its type.
JsonObject: TypeAlias = dict[str, Any]
# Keyword arguments for a class or function that a name stands for, such as a model of timm or a mixer.
Arguments: TypeAlias = dict[str, Any]
# A state_dict as torch saves it: tensors and plain values.
StateDict: TypeAlias = dict[str, Any]
# A row of a data frame, by the name of the column.
TableRow: TypeAlias = dict[Hashable, Any]
