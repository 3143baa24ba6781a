"""The fenced code blocks of the project's pages, and the commands in them."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, empty for a block of commands, and its text."""

    language: str
    text: str


def blocks(page: Path, heading: str = "") -> list[Block]:
    """Return the blocks of a page, or of the part below one heading."""
    text = page.read_text()
    if heading:
        _, _, text = text.partition(f"\n{heading}\n")
        text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
    return [Block(*found) for found in _FENCED.findall(text)]


def commands(block: Block) -> list[list[str]]:
    """Return the words of each command of a block, without comments."""
    assert not block.language, block
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
