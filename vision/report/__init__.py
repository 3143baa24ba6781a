"""One self-contained HTML page over a sweep.

The names in `__init__.pyi` are imported on first use: `vision plot` needs the sentences, not the page.
"""

from vision._lazy import attach_stub

__getattr__, __all__ = attach_stub(__name__, __file__)  # pyright: ignore[reportUnsupportedDunderAll]


def __dir__() -> list[str]:
    return __all__
