"""A hook of mkdocs: links from a page to files outside docs/ become their text."""

import re
from typing import Any

OUTSIDE = re.compile(
    r"(?<!!)\[([^]]+)\]\((?:\.\./)+(?:README|examples|conf|outputs|scripts|tests|vision)[^)]*\)"
)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return the text of a page with such links replaced."""
    return OUTSIDE.sub(r"\1", markdown)
