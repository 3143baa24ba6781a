"""Messages of process 0 of a run to the others: to take part, or that there is nothing to do."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from vision.dynamic import JsonObject
from vision.training import from_first


@contextmanager
def telling_others() -> Generator[Callable[[JsonObject], None]]:
    """Yield a function that invites the others to take part; if it is not called, they get None."""
    invited = False

    def tell(message: JsonObject) -> None:
        nonlocal invited
        invited = True
        from_first(message)

    try:
        yield tell
    finally:
        if not invited:
            from_first({})
