"""Errors of a user's own code, and of libraries, as one sentence.

>>> with in_a_sentence("training.metrics=[...] cannot be called"):
...     1 / 0
Traceback (most recent call last):
ValueError: training.metrics=[...] cannot be called: ZeroDivisionError: division by zero
"""

from collections.abc import Generator
from contextlib import contextmanager

from vision.text import one_line


@contextmanager
def in_a_sentence(failure: str) -> Generator[None]:
    """Turn an error of the user's code, or of a library, into a ValueError that begins with `failure`."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        # It names the setting, or a package that the command then names with how to install it.
        if isinstance(error, ValueError | ModuleNotFoundError) and _is_ours(error):
            raise
        raise ValueError(f"{failure}: {type(error).__name__}: {one_line(error, most=300)}") from error


def _is_ours(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith("vision.")
