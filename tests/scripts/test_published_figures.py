"""The figures of outputs/published: each is drawn again by one command, from the records next to it."""

import shutil

import published_figures
import pytest
from published_figures import FIGURES, PAGES, PUBLISHED, draw


def test_every_published_curve_is_drawn_by_the_script():
    folders = {str(path.parent.relative_to(PUBLISHED)) for path in PUBLISHED.rglob("accuracy.png")}
    assert folders == {*FIGURES, *PAGES}
    for folder, (tables, _) in FIGURES.items():
        assert all((PUBLISHED / folder / table).is_file() for table in tables)
    for folder, (table, _, figures) in PAGES.items():
        assert all(
            (PUBLISHED / folder / name).is_file() for name in (table, *(f"{one}.svg" for one in figures))
        )


@pytest.mark.slow
def test_a_figure_is_drawn_from_its_records_and_nothing_else_changes(tmp_path, monkeypatch):
    folder = tmp_path / "long_range"
    shutil.copytree(PUBLISHED / "long_range", folder)
    for kind in ("png", "svg"):
        (folder / f"accuracy.{kind}").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert draw(folder, *FIGURES["long_range"]) == 0
    svg = (folder / "accuracy.svg").read_text()
    assert "truncated attention</text>" in svg and "distance in pixels</text>" in svg
    assert (folder / "accuracy.png").stat().st_size > 10_000
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before}
    monkeypatch.setattr("sys.argv", ["published_figures.py", "nothing"])
    with pytest.raises(SystemExit, match="2"):
        published_figures.main()
