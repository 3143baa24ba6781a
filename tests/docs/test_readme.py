"""The README's code runs, its links exist, and its table matches the records."""

import re
import runpy

import pytest
from code_blocks import ROOT, blocks
from published import with_result

README = (ROOT / "README.md").read_text()

OWN_IMAGES = blocks(ROOT / "README.md", "## Your own images")  # test_own_images.py runs them
PYTHON = [
    block.text
    for block in blocks(ROOT / "README.md")
    if block.language == "python" and block not in OWN_IMAGES
]


def test_it_is_short():
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_its_python_runs(number, tmp_path):
    script = tmp_path / "readme.py"
    script.write_text(PYTHON[number])
    names = runpy.run_path(str(script))
    assert {"model", "attention"} <= set(names)


def test_its_links_exist():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


@pytest.mark.slow
def test_its_result_is_that_of_the_published_records():
    assert with_result(README) == README, "run python scripts/published.py"
    assert "| plain CNN |" in README and "95% interval" in README
    with pytest.raises(ValueError, match=r"README\.md must have the lines"):
        with_result("# a README without a result")
