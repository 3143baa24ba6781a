"""scripts/benchmark.py: it runs, reports which goals are met, and refuses an unknown section."""

import json
import sys
import time

import pytest
import torch
from benchmark import main
from benchmarks.turns import paired

from vision.attention import kernel
from vision.attention.dispatch import chosen_backend
from vision.fields import full, neighbourhood
from vision.patches import Grid


@pytest.mark.slow
def test_a_section_prints_its_cases_and_its_goals(tmp_path, monkeypatch, capsys):
    options = ["--sections", "step", "--rounds", "1", "--json", str(tmp_path / "figures.json")]
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *options])
    main()
    shown = capsys.readouterr()
    assert "field_cnn" in shown.out and "<= 1.05" in shown.out and "cores" in shown.out
    assert "step took" in shown.err
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["machine"]["threads"] == 1 and len(figures["step"]["cases"]) == 4
    assert {g["verdict"] for g in figures["step"]["goals"]} <= {"met", "missed"}
    assert all(0.5 < case["over bare"] < 3 for case in figures["step"]["cases"])


def test_an_unknown_section_is_refused_with_the_list(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--sections", "step,speed"])
    with pytest.raises(SystemExit, match="2"):
        main()
    sections = "attention, convolution, length, convert, step, start, skip, sweep"
    assert f"no section speed; there are {sections}" in capsys.readouterr().err


def test_paired_returns_the_ratio_of_two_steps_whatever_their_length():
    def busy(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    assert 1.6 < paired(lambda: busy(2e-3), lambda: busy(1e-3), 3) < 2.4
    assert 0.25 < paired(lambda: busy(1e-3), lambda: busy(3e-3), 3, fill=0.0) < 0.45


@pytest.mark.skipif(not kernel.available(torch.float32), reason="no C++ compiler")
@pytest.mark.parametrize(
    ("side", "kernel", "batch", "width", "dtype", "expected"),
    [
        (16, 3, 1, 16, torch.float32, "native"),
        (8, 7, 64, 32, torch.float32, "native"),  # at the border half of the 7 x 7 keys are missing
        (8, 7, 1, 16, torch.float32, "dense"),  # too little work
        (8, 3, 64, 16, torch.bfloat16, "native"),
        (8, 5, 64, 16, torch.bfloat16, "dense"),
        (8, 5, 64, 24, torch.float32, "dense"),  # the kernel is not compiled for this width
        (32, 3, 1, 24, torch.float32, "native"),
    ],
)
def test_auto_chooses_the_kernel_where_it_was_measured_to_pay(side, kernel, batch, width, dtype, expected):
    q = torch.zeros(batch, 4, side**2, width, dtype=dtype)
    assert chosen_backend(q, q, q, neighbourhood(Grid(side, side), kernel)) == expected
    assert chosen_backend(q, q, q, full(Grid(side, side))) == "dense"
