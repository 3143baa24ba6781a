"""An empty figure: its title and notes have room."""

from figure_cases import NOTES

from vision.plots.layout.figure import new_figure, wrapped


def test_a_long_title_and_long_notes_take_more_lines_and_leave_the_panels_their_room():
    short, _ = new_figure("title", height=3)
    long, _ = new_figure("a title of many words " * 8, NOTES, height=3)
    assert short.get_suptitle() == "title" and long.get_suptitle().count("\n") >= 2
    assert long.get_figheight() > short.get_figheight() + 0.5 and short.get_supxlabel() == ""
    assert wrapped("of seeds n = 3 a point", 0.6, 8).split("\n") == ["of seeds", "n = 3 a", "point"]
    assert max(map(len, wrapped(NOTES, 5, 8).split("\n"))) <= 83
