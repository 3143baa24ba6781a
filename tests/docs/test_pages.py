"""The Python code of the pages in docs/ runs, block after block; each page is on the documentation site."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
OWN_TESTS = {"gallery.md", "extending.md"}  # test_gallery.py, test_extending.py
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.name not in OWN_TESTS)
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_its_python_runs(page):
    names = {"__name__": "page"}
    for block in BLOCK.findall(page.read_text()):
        exec(block, names)


def test_every_page_is_on_the_site():
    site = (DOCS.parent / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    assert not [page for page in pages if page not in site]
