"""Write the READMEs of outputs/published from their templates, with every number computed from the records.

    python scripts/published.py            # writes outputs/published/*/README.md, and the result in README.md
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
from publishing.distances import Distances
from publishing.runs import Runs

from vision import results
from vision.report.beyond_accuracy import measure_answers
from vision.report.inside_models import inside_measures, inside_tables
from vision.report.measures import SCORE, measures
from vision.report.read_sweep import read_sweep
from vision.report.wording.inside import share_change
from vision.statistics import size_trends

PUBLISHED = Path(__file__).resolve().parents[1] / "outputs" / "published"
TEMPLATE = "README.template.md"
STUDY, SUMMARY = "comparison-cifar10-jpeg", "summary.template.md"  # of the result in the root's README
START, END = "<!-- result: scripts/published.py -->", "<!-- end of result -->"
COLUMNS = 100
VERBATIM = ("|", "#", "!", "    ")  # how lines begin that are not wrapped


def page(folder: Path, template: str = TEMPLATE) -> str:
    """Return a template of a published folder, rendered: its README, or another.

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

    def evaluations(name: str, *pair: str) -> dict[str, list[str]]:
        """Return the sentences about what `vision evaluate` measured, by the section of the report.

        "trends" is how each measure beyond accuracy changes with the number of images.
        """
        sweep = read_sweep(folder / name, pair=pair)
        inside = inside_measures(sweep, inside_tables(sweep))
        beyond = measures(sweep, sweep.evaluations)
        return {
            "inside": [answer for measure in inside for answer in measure.answers],
            "beyond": measure_answers(sweep, beyond),
            "trends": [
                share_change(measure.name, trend)
                for measure in beyond
                for trend in size_trends(measure.records, metric=SCORE)
            ],
        }

    def distances(name: str) -> Distances:
        return Distances(read_sweep(folder / name))

    def check(claim: bool) -> str:
        if not claim:
            raise ValueError(f"a claim of {folder.name}/{template} is not true of its records")
        return ""

    functions = {"read": read, "evaluations": evaluations, "distances": distances, "check": check}
    return wrap(environment.get_template(template).render(functions))


def with_result(readme: str) -> str:
    """Return the root's README with the result that the records of the study have now.

    Raises:
        ValueError: The README does not have the two lines between which the result stands.
    """
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"README.md must have the lines {START} and {END}")
    return f"{before}{START}\n{page(PUBLISHED / STUDY, SUMMARY)}{END}{after}"


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
    pages = {
        template.with_name("README.md"): page(template.parent)
        for template in sorted(PUBLISHED.glob(f"*/{TEMPLATE}"))
    }
    if (PUBLISHED / STUDY / SUMMARY).exists():
        readme = PUBLISHED.parents[1] / "README.md"
        pages[readme] = with_result(readme.read_text())
    different = [
        readme for readme, text in pages.items() if not readme.exists() or readme.read_text() != text
    ]
    if not check:
        for readme in different:
            readme.write_text(pages[readme])
    elif different:
        names = ", ".join(readme.parent.name for readme in different)
        print(f"pages that differ from their records: {names}; run scripts/published.py")
    return int(check and bool(different))


if __name__ == "__main__":
    sys.exit(main())
