"""Write the READMEs of outputs/published from their templates, with every number computed from the records.

    python scripts/published.py            # writes outputs/published/*/README.md
    python scripts/published.py --check    # fails if a page differs from its records

A template is Markdown with calls such as {{ runs.lead("CNN", "ViT", 500) }}; `Runs` has them all. What a page
says without a number is checked by {% do check(...) %}.
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from publishing.runs import Runs

from vision import results

PUBLISHED = Path(__file__).resolve().parents[1] / "outputs" / "published"
TEMPLATE = "README.template.md"
COLUMNS = 100
VERBATIM = ("|", "#", "!", "    ")  # how lines begin that are not wrapped


def page(folder: Path) -> str:
    """Return the README of a published folder.

    Raises:
        ValueError: A claim of the template is not true of the records.
    """
    loader = FileSystemLoader(folder)
    environment = Environment(
        loader=loader,
        autoescape=False,  # the result is Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )

    def read(name: str) -> Runs:
        return Runs(results.read_records(folder / name))

    def check(claim: bool) -> str:
        if not claim:
            raise ValueError(f"a claim of {folder.name}/{TEMPLATE} is not true of its records")
        return ""

    return wrap(environment.get_template(TEMPLATE).render(read=read, check=check))


def wrap(text: str) -> str:
    """Return Markdown with paragraphs and list items wrapped at 100 columns."""
    return "\n".join(line for block in _blocks(text) for line in _wrapped(block)) + "\n"


def _blocks(text: str) -> Iterator[list[str]]:
    """Yield the lines of each paragraph, list item or verbatim line."""
    block: list[str] = []
    for line in text.strip().splitlines():
        alone = not line.strip() or line.startswith(VERBATIM)
        if block and (alone or line.startswith("- ")):
            yield block
            block = []
        if alone:
            yield [line.rstrip()]
        else:
            block.append(line)
    if block:
        yield block


def _wrapped(block: list[str]) -> list[str]:
    if not block[0].strip() or block[0].startswith(VERBATIM):
        return block
    indent = "  " if block[0].startswith("- ") else ""
    text = re.sub(r"\s+", " ", " ".join(block)).strip()
    return textwrap.wrap(
        text, COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or compare them with what the records say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page differs")
    check = parser.parse_args(arguments).check
    different: list[str] = []
    for template in sorted(PUBLISHED.glob(f"*/{TEMPLATE}")):
        readme, text = template.with_name("README.md"), page(template.parent)
        if check and readme.read_text() != text:
            different.append(readme.parent.name)
        elif not check:
            readme.write_text(text)
    if different:
        print(f"pages that differ from their records: {', '.join(different)}; run scripts/published.py")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
