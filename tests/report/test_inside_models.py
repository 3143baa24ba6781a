"""The section of the page on the inside of models: trends over the sizes, and figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vision import results
from vision.report.inside_models import inside_models
from vision.report.read_sweep import read_sweep
from vision.statistics.leads import mean_lead

SIZES, SEEDS = (100, 200, 400), (0, 1, 2)


@pytest.fixture
def table_of_runs(tmp_path: Path) -> Path:
    """Records next to evaluations: the kernel share falls by 10 points per doubling, the width stays."""
    runs = [(label, size, seed) for label in ("ViT", "CNN") for size in SIZES for seed in SEEDS]
    records = pd.DataFrame(runs, columns=["label", "train_size", "seed"])
    records["folder"] = [f"{label}/n{size}/s{seed}" for label, size, seed in runs]
    records.assign(data="digits", test_accuracy=0.5 + records["seed"] / 100).to_csv(tmp_path / "runs.csv")
    vit = records[records["label"] == "ViT"].assign(subset_seed=None, weights_sha256="a", images=100)
    share = 0.9 - 0.1 * vit["train_size"].map({100: 0, 200: 1, 400: 2}) + vit["seed"] / 1000
    vit = vit.assign(position=0.0, content=1 - share, width=3 + vit["seed"] / 10)
    shifts, kept = {1: -0.05, 2: 0.05}, {0: 1.0, 3: share, 7: 1.0}
    layers = [vit.assign(kind="layer", level=level, kernel=share + shift) for level, shift in shifts.items()]
    kernels = [vit.assign(kind="kernel", level=level, kept=part) for level, part in kept.items()]
    tables = {"kernel_share": layers, "nearest_cnn": kernels}
    for name, parts in tables.items():
        file = results.evaluation_file(tmp_path, name)
        file.parent.mkdir(exist_ok=True)
        pd.concat(parts).to_csv(file, index=False)
    return tmp_path / "runs.csv"


def test_trends_and_figures(table_of_runs):
    section = inside_models(read_sweep(table_of_runs))
    assert not section.warnings
    assert [figure.name for figure in section.figures] == ["kernel-share", "kernel-width", "nearest-cnn"]
    notes = [" ".join(str(text.get_text()).split()) for text in section.figures[0].figure.texts]
    assert any(note.startswith("9 runs; ") and note.endswith("100 test images") for note in notes), notes
    share, width, three, seven = section.findings
    assert share == (
        "The kernel share of the ViT falls from 90.1% at 100 images to 70.1% at 400. "
        "That is -10.0 points for each doubling (95% interval -10.0 to -10.0, 3 seeds)."
    )
    assert width == (
        "The effective width of the ViT is 3.10 tokens at 100 images and 3.10 tokens at 400. "
        "The change of +0.00 tokens for each doubling is not significant "
        "(95% interval +0.00 to +0.00, 3 seeds)."
    )
    assert three.startswith("What the nearest 3 x 3 CNN keeps of the ViT falls from 90.1% at 100 images")
    assert seven.startswith("What the nearest 7 x 7 CNN keeps of the ViT is 100.0% at 100 images and 100.0%")


def test_a_change_that_is_not_significant_has_the_smallest_that_would_be(table_of_runs):
    file = results.evaluation_file(table_of_runs.parent, "kernel_share")
    table = pd.read_csv(file)
    slopes = table["seed"].map({0: -0.01, 1: 0.0, 2: 0.01})
    doublings = table["train_size"].map({100: 0, 200: 1, 400: 2})
    table.assign(kernel=0.5 + slopes * doublings, position=0.2).to_csv(file, index=False)
    share = inside_models(read_sweep(table_of_runs)).findings[0]
    least = mean_lead(np.array([[-0.01], [0.0], [0.01]])).detectable()
    assert share == (
        "The kernel share of the ViT is 50.0% at 100 images and 50.0% at 400. The change of +0.0 points for "
        "each doubling is not significant (95% interval -2.5 to +2.5, 3 seeds). "
        f"Changes below {100 * least:.1f} points could not have been detected reliably."
    )


def test_shares_that_are_estimated_below_0(table_of_runs):
    file = results.evaluation_file(table_of_runs.parent, "kernel_share")
    pd.read_csv(file).assign(kernel=-0.001, position=0.0005, content=1.0005).to_csv(file, index=False)
    section = inside_models(read_sweep(table_of_runs))
    assert not section.warnings
    assert section.findings[0].startswith(
        "The kernel share of the ViT is 0.0% at 100 images and 0.0% at 400."
    )


def test_a_sweep_without_these_evaluations_has_no_section(table_of_runs):
    for name in ("kernel_share", "nearest_cnn"):
        results.evaluation_file(table_of_runs.parent, name).unlink()
    assert not inside_models(read_sweep(table_of_runs))


def test_how_a_field_opens(table_of_runs):
    """Training adds 2 pixels to the distance at 100 images, and 1 more for each doubling."""
    runs = pd.read_csv(table_of_runs)
    vit = runs[runs["label"] == "ViT"]
    doublings = vit["train_size"].map({100: 0, 200: 1, 400: 2})
    start = 4.0 + vit["seed"] / 10
    steps = [
        vit.assign(step=step, distance=start + part * (2 + doublings)) for step, part in ((0, 0), (8, 1))
    ]
    pd.concat(steps[::-1]).to_csv(table_of_runs.with_name(results.DISTANCES), index=False)
    sweep = read_sweep(table_of_runs)
    section = inside_models(sweep)
    assert not section.warnings
    assert [figure.name for figure in section.figures][:2] == ["heads", "distance"]
    assert section.findings[0] == (
        "What training adds to the attention distance of the ViT grows from +2.00 pixels at 100 images to "
        "+4.00 pixels at 400. That is +1.00 pixels for each doubling "
        "(95% interval +1.00 to +1.00, 3 seeds)."
    )
    after = section.figures[1].figure.axes[1]
    assert after.get_title() == "after training" or "after training" in {t.get_text() for t in after.texts}
    heights = [np.asarray(line.get_ydata()) for line in after.lines]
    [line] = [height for height in heights if len(height) == 3]
    assert line == pytest.approx([6.1, 7.1, 8.1])


def test_a_wrong_file_of_distances_is_named_and_left_out(table_of_runs):
    file = table_of_runs.with_name(results.DISTANCES)
    file.write_text("label,step\nViT,0\n")
    section = inside_models(read_sweep(table_of_runs))
    assert any(str(file) in text and "distance" in text for text in section.warnings), section.warnings
    assert [figure.name for figure in section.figures] == ["kernel-share", "kernel-width", "nearest-cnn"]
    assert len(section.findings) == 4
