"""Prose has short lines and sentences, and no phrase that readers stumble over."""

import ast
import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "outputs" / "published").glob("*/README.md")),
]
MOST_COLUMNS, MOST_WORDS = 100, 25

CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
INDENTED_CODE = re.compile(r"(?<=\n\n)(?: {4,}\S.*\n)+")
IMAGE = re.compile(r"!\[[^]]*\]\([^)]*\)")
LINK_TARGET = re.compile(r"\]\([^)]*\)")
NOT_PROSE = re.compile(r"^ *(\||#).*$", re.MULTILINE)  # tables and headings
PARAGRAPH = re.compile(r"\n\s*\n|\n(?= *(?:[-*]|\d+\.) )")
SENTENCE = re.compile(r"""(?<=[.!?])["')*]*\s+(?=[^a-z\s])""")

DOCUMENTED = ("vision", "hydra_plugins", "scripts", "examples", "tests")  # folders of Python files
SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")
NEW_ITEM = re.compile(r"[-*] |\d+\. ")
DOC_SENTENCE = re.compile(r"(?<=[.!?])[\"')*]*\s+|;\s+")  # the alternatives of an entry end with semicolons

# Phrases that readers stumble over, and what to write instead.
BANNED = {
    r"beyond doubt": "significant",
    r"cannot be told": "not significant",
    r"issued again": "run again",
    r"\banew\b": "again",
    r"at hand\b": "available",
    r"\bforetell|\bforetold": "predict",
    r"nor excluded": "nor rule out",
    r"\"{3}\(\) ->": "no arrow where no tensor goes in",
    r"(?<!there )\bis no (?!longer\b|better\b|worse\b)": "is not a",
    r"(?<!CNN )\bset free\b": "softened",
    r"\ba row a (run|mixer|model)\b|\ba process a core\b": "one row per run",
    r"\bwhole numbers?\b": "integer",
    r"\blikewise\b": "the same",
}
FOLDERS = ("vision", "hydra_plugins", "conf", "scripts", "examples", "tests", "docs", "outputs/published")
TREE = [
    *(ROOT / "Makefile", *ROOT.glob("*.*"), ROOT / ".ci" / "run"),
    *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*")),
]
TEXT = {"", ".py", ".pyi", ".md", ".yaml", ".toml", ".html", ".js", ".css", ".cpp", ".cff", ".txt"}


def prose(text: str) -> str:
    """Markdown without code, tables, headings, images and the targets of links."""
    for pattern, instead in ((CODE_BLOCK, ""), (INDENTED_CODE, ""), (IMAGE, ""), (LINK_TARGET, "]")):
        text = pattern.sub(instead, text)
    return NOT_PROSE.sub("", text)


def _written_by_runs(path: Path) -> bool:
    """Say whether an example or a script was run here, and left its own outputs folder."""
    return "outputs" in path.relative_to(ROOT).parts[1:]


def sentences(text: str) -> list[str]:
    """Sentences of a page's prose, each on one line; a list item is a separate paragraph."""
    paragraphs = (" ".join(block.split()) for block in PARAGRAPH.split(prose(text)))
    return [one for paragraph in paragraphs for one in SENTENCE.split(paragraph) if one]


def words(sentence: str) -> list[str]:
    """Words with a letter in them; inline code counts as one."""
    return [word for word in re.sub(r"`[^`]*`", "code", sentence).split() if re.search("[A-Za-z]", word)]


def docstrings(file: Path) -> Iterator[str]:
    """Docstrings of a file's module, classes and functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def docstring_sentences(docstring: str) -> list[str]:
    """Sentences of a docstring without its code; each argument, attribute, error or item is a paragraph."""
    paragraphs, section, entry, was_blank, in_code = [""], "", None, True, False
    for line in docstring.splitlines():
        text, indent = line.strip(), len(line) - len(line.lstrip())
        if found := SECTION.fullmatch(line):
            section, entry = found[1], None
        elif indent == 0:
            section = ""
        in_code = text.startswith((">>>", "...")) or (
            not section and indent >= 4 and (in_code or was_blank) and not NEW_ITEM.match(text)
        )
        if section and entry is None and not SECTION.fullmatch(line):
            entry = indent
        starts = section not in ("", "Returns", "Yields") and indent == entry
        if not text or in_code or starts or NEW_ITEM.match(text) or SECTION.fullmatch(line):
            paragraphs.append("")
        if not in_code and not SECTION.fullmatch(line):
            paragraphs[-1] += f" {text}"
        was_blank = not text
    return [one for paragraph in paragraphs for one in DOC_SENTENCE.split(paragraph.strip()) if one]


def test_sentences_are_found():
    page = "# A b\n\nOne two. Three `a b`, four.\n\n- Five.\n- Six [seven](x.md).\n\n| a | b |\n\n"
    page += "```\ncode.\n```\n"
    assert [len(words(one)) for one in sentences(page)] == [2, 3, 1, 2]


def test_sentences_of_docstrings_are_found():
    text = """One two.

    >>> code(1)

    Three four
    five; six.

        make it

    Args:
        a: seven eight
            nine.
        b: ten.

    Returns:
        Eleven
        twelve.
    """
    found = docstring_sentences(cleandoc(text))
    expected = ["One two.", "Three four five", "six.", "a: seven eight nine.", "b: ten.", "Eleven twelve."]
    assert found == expected


def test_sentences_of_docstrings_are_short():
    files = [path for folder in DOCUMENTED for path in (ROOT / folder).rglob("*.py")]
    files = [path for path in files if not _written_by_runs(path)]
    assert len(files) > 700
    long = [
        f"{file.relative_to(ROOT)}: {len(words(one))}: {one}"
        for file in files
        for docstring in docstrings(file)
        for one in docstring_sentences(docstring)
        if len(words(one)) > MOST_WORDS
    ]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_and_sentences_are_short(page: Path):
    text = page.read_text()
    wide = [line for line in prose(text).splitlines() if len(line) > MOST_COLUMNS]
    assert not wide, "\n".join(wide)
    long = [f"{len(words(one))}: {one}" for one in sentences(text) if len(words(one)) > MOST_WORDS]
    assert not long, "\n".join(long)


def test_readme_is_narrow_in_its_code_too():
    lines = (ROOT / "README.md").read_text().splitlines()
    wide = [line for line in lines if len(LINK_TARGET.sub("]", line)) > MOST_COLUMNS and line[0] != "|"]
    assert not wide, "\n".join(wide)


def test_no_banned_phrase():
    files = [path for path in TREE if path.suffix in TEXT and path.is_file()]
    files = [path for path in files if path != Path(__file__) and not _written_by_runs(path)]
    assert len(files) > 450
    hits = [
        f"{file.relative_to(ROOT)}:{number}: {found[0]!r}, write {instead!r}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        for pattern, instead in BANNED.items()
        if (found := re.search(pattern, line, re.IGNORECASE))
    ]
    assert not hits, "\n".join(hits)
