"""Tests, links and figures that docs/ refers to exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TESTS = {
    str(path.relative_to(ROOT / "tests")): path.read_text() for path in (ROOT / "tests").rglob("test_*.py")
}


def test_every_test_that_the_equivalence_page_names_exists():
    page = (ROOT / "docs" / "equivalence.md").read_text()
    files = set(re.findall(r"\w+/test_\w+\.py", page))
    assert files and files <= set(TESTS)
    functions = set(re.findall(r"`(?:\w+/test_\w+\.py::)?(test_\w+)`", page))
    defined = set(re.findall(r"^def (test_\w+)", "\n".join(TESTS.values()), re.MULTILINE))
    assert len(functions) > 15 and functions <= defined, functions - defined


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_figures_exist(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_map_is_one_screen_and_names_every_room():
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert len(page.splitlines()) <= 52
    rooms = {path.name for path in (ROOT / "vision").iterdir() if not path.name.startswith(("_", "py."))}
    in_table = set(re.findall(r"^\| `([\w.]+)/?` \|", page, re.MULTILINE))
    assert in_table <= rooms
    named = set(re.findall(r"[\w.]+", page))
    assert not {room for room in rooms if not {room, room.removesuffix(".py")} & named}
