"""One thread for each process, and names that the examples in docstrings may use without an import."""

import os

import pytest

# The tests' sizes gain nothing from more threads. Read when torch is imported, here and in child processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _doctest_imports(request: pytest.FixtureRequest) -> None:
    """Add torch and the package's most used names to the examples in docstrings."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    import timm
    import torch

    import vision
    from vision.fields import full, neighbourhood
    from vision.mixers import registry

    names = {"timm": timm, "torch": torch, "vision": vision, "Grid": vision.Grid}
    names |= {"full": full, "neighbourhood": neighbourhood}
    request.getfixturevalue("doctest_namespace").update(names)
    request.getfixturevalue("monkeypatch").setattr(registry, "_mixers", dict(registry._mixers))
