"""What holds for all tests: one thread, no garbage collection of imports, names for docstrings' examples."""

import gc
import os

import pytest

# The tests' sizes gain nothing from more threads. Read when torch is imported, here and in child processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Imports leave nothing to collect, and looking at what they made takes a fifth of their time.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but less often, and do not look again at what was imported."""
    gc.freeze()
    gc.set_threshold(20_000)  # a look at what figures and models leave would take 9% of the tests of reports
    gc.enable()


def pytest_unconfigure() -> None:
    """Let the end of the process find all objects: nanobind reports those that are left as leaks."""
    gc.unfreeze()


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
