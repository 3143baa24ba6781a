"""Modules of the user that a setting names."""

import importlib


def import_named(setting: str, module: str | None) -> None:
    """Import the module that a setting names, for what it registers; None imports nothing.

    Raises:
        ValueError: it cannot be imported; the message names the setting and the cause.
    """
    if module is None:
        return
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"{setting} must be a module that Python can import from here or from PYTHONPATH, "
            f"got {module!r}: {error}"
        ) from error
