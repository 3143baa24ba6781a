"""The code on the page about extensions runs, one block after the other."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from vision.mixers import registry

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"^ *```python\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_its_python_runs(number, monkeypatch):
    monkeypatch.setattr(registry, "_mixers", dict(registry._mixers))
    names: dict[str, Any] = {"__name__": "page"}
    exec(dedent(BLOCKS[number]), names)
    assert "model" in names
