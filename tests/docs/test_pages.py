"""The Python code of the pages in docs/ runs, block after block; each page is on the documentation site."""

from pathlib import Path
from textwrap import dedent

import pytest
from code_blocks import PAGES, ROOT, blocks

DOCS = ROOT / "docs"
# test_readme.py, test_gallery.py, test_extending.py, test_own_images.py
OWN_TESTS = {"README.md", "gallery.md", "extending.md", "reuse.md"}
WITH_CODE = [
    page
    for page in PAGES
    if page.name not in OWN_TESTS and any(block.language == "python" for block in blocks(page))
]


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_its_python_runs(page: Path) -> None:
    names = {"__name__": "page"}
    for block in blocks(page):
        if block.language == "python":
            exec(dedent(block.text), names)


def test_every_page_is_on_the_site():
    site = (DOCS.parent / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    assert not [page for page in pages if page not in site]
