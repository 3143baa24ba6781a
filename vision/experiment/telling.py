"""What process 0 of a run tells the others: that they take part, or that there is nothing to do."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from vision.training import from_first


@contextmanager
def telling_others() -> Generator[Callable[[dict[str, Any]], None]]:
    """Yield a function that tells the others to take part; if it is not called, they are told not to."""
    invited = False

    def tell(message: dict[str, Any]) -> None:
        nonlocal invited
        invited = True
        from_first(message)

    try:
        yield tell
    finally:
        if not invited:
            from_first({})
