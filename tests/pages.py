"""A page made from a table of runs, and what is on it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from vision.report import write_report
from vision.report.page import Page as Content
from vision.report.page import make_page
from vision.report.read_sweep import read_sweep


class Page(HTMLParser):
    """What is on a page: ids, links, texts by tag, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.inner: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.inner += [v for k, v in attrs if k == "xlink:href" and v.startswith("#")]
        self.inner += re.findall(r"url\((#[^)]*)\)", " ".join(str(v) for _, v in attrs))
        outside = [v for k, v in attrs if k in ("src", "href") and tag != "a"]
        self.loads += [v for v in outside if not v.startswith(("#", "data:"))]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def report(tmp_path: Path, table: pd.DataFrame, **options) -> tuple[str, Page]:
    table.to_csv(tmp_path / "runs.csv", index=False)
    write_report(tmp_path / "runs.csv", tmp_path / "report.html", **options)
    text = (tmp_path / "report.html").read_text()
    return text, Page(text)


def content(tmp_path: Path, table: pd.DataFrame, **options) -> Content:
    """What a page says, without its figures, which take most of the time."""
    table.to_csv(tmp_path / "runs.csv", index=False)
    return make_page(read_sweep(tmp_path / "runs.csv", **options))


def write_csv(tmp_path: Path, table: pd.DataFrame) -> Content:
    table.to_csv(tmp_path / "runs.csv", index=False)
    return write_report(tmp_path / "runs.csv", tmp_path / "report.html")
