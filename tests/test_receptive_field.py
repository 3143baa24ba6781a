"""The experiment receptive_field: its runs, its table and its figure."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
from receptive_field import best_fields, field_curves

from vision.plots import plot_receptive_field

ROOT = Path(__file__).parents[1]


def records() -> pd.DataFrame:
    """Two kinds, two fields, two sizes, two seeds, with known accuracies."""
    rows = []
    for model, field, size, seed in (
        (m, f, n, s)
        for m in ("field_cnn", "field_static")
        for f in (3, 15)
        for n in (100, 1000)
        for s in (0, 1)
    ):
        best = 0.6 if (field == 3) == (size == 100) else 0.5
        rows.append(
            {
                "data": "d",
                "label": f"{model} {field}",
                "train_size": size,
                "seed": seed,
                "subset_seed": seed,
                "test_accuracy": best + 0.01 * seed,
            }
        )
    return pd.DataFrame(rows)


def test_labels_come_apart_and_the_best_field_is_found():
    curves = field_curves(records())
    assert set(curves["kind"]) == {"depthwise convolution", "static attention (place only)"}
    assert set(curves["field"]) == {3, 15} and (curves["n"] == 2).all()
    best = best_fields(curves).set_index(["kind", "train_size"])
    for kind in set(curves["kind"]):
        assert best.loc[(kind, 100), "best field"] == 3 and best.loc[(kind, 1000), "best field"] == 15
        assert best.loc[(kind, 100), "lead"] == pytest.approx(10)


def test_one_panel_a_kind_and_one_line_a_field():
    figure = plot_receptive_field(field_curves(records()), title="line", notes="n = 2")
    figure.savefig(BytesIO(), format="png")
    assert [panel.get_title() for panel in figure.axes] == [
        "depthwise convolution",
        "static attention (place only)",
    ]
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["3 x 3", "15 x 15"]
    assert lines[0].get_ydata().tolist() == pytest.approx([60.5, 50.5])


def test_the_experiment_runs_and_draws(tmp_path):
    command = [
        sys.executable,
        "-c",
        "import sys; from vision.cli import main; sys.exit(main())",
        "train",
        "-m",
    ]
    settings = ["experiment=receptive_field", "debug=tiny", "train_size=20", "seed=0"]
    fields = [
        "model=cnn_depthwise,static",
        "model.kwargs.mixer_options.kernel_size=1,3",
        "model.kwargs.params=20000",
    ]
    subprocess.run([*command, *settings, *fields], cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "outputs" / "smoke"
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "receptive_field.py"), str(folder)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "depthwise convolution" in done.stdout and (folder / "receptive_field.png").exists()
