"""conf/experiment: every file begins with its commands; they run and draw their figures."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Done

FILES = sorted((Path(__file__).parents[2] / "conf" / "experiment").glob("[!_]*.yaml"))
# A part of each experiment's grid: settings at either end, one size, one seed.
KERNEL = "model.kwargs.mixer_options.kernel_size=1,15"
PARTS = {
    "budget": ["model=cnn"],
    "data_size": ["model=vit,cnn"],
    "demo": ["model=vit,cnn"],
    "long_range": ["model=vit", "data.options.distance=2,14"],
    "mixers": ["model=identity,window,recurrent"],
    "positions": ["model.kwargs.pos_embed=none,quadratic"],
    "receptive_field": ["model=cnn_depthwise,gated", KERNEL],
    "recipe": ["model=cnn", "training.lr=0.0005,0.008", "training.weight_decay=0.0,0.5"],
    "learned_field": ["model=cnn,softened,gated", "seed=0,1", "hydra.sweeper.max_batch_size=2"],
    "soften": ["model=cnn,cnn_continued,softened", "seed=0,1", "hydra.sweeper.max_batch_size=2"],
    "study": ["model=cnn,cnn_attention"],
}
RUNS = {"budget": 1, "learned_field": 6, "mixers": 3, "receptive_field": 4, "recipe": 4, "soften": 6}


def commands(file: Path) -> list[list[str]]:
    """Return the `vision ...` commands in the head of a file; a backslash continues a line."""
    head = re.match(r"(#.*\n)+", file.read_text())
    text = re.sub(r"\\\n#\s*", "", head.group()) if head else ""
    return [shlex.split(line) for line in re.findall(r"#   vision (.*)", text)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, program: Callable[..., Done]) -> dict[str, list]:
    """Run a part of each experiment and its plots in one process; return status and output of each."""
    folder = tmp_path_factory.mktemp("experiments")
    lines = []
    for file in FILES:
        data = [] if file.stem in ("demo", "long_range") else ["data=digits"]
        tiny = ["debug=tiny", "training.threads=1", "model.kwargs.params=20000", "train_size=20"]
        run = ["train", "-m", f"experiment={file.stem}", *data, *tiny, "+model.kwargs.depth=1"]
        if file.stem == "long_range":
            run = [word.replace("+", "") for word in run]
        lines.append([file.stem, run + PARTS[file.stem]])
        for line in commands(file):
            if line[0] in ("plot", "report", "evaluate"):
                plot = [
                    w.replace("outputs/", "outputs/tiny/").replace("cifar10-jpeg", "digits") for w in line
                ]
                lines.append([file.stem, [w.replace("data_size-cifar10", "data_size-digits") for w in plot]])
    script = f"""
import contextlib, io, json
from vision.cli import main
for name, line in json.loads({json.dumps(lines)!r}):
    said, status = io.StringIO(), 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            status = main(line)
        except SystemExit as stop:
            status = stop.code
    print(json.dumps([name, line, status, said.getvalue()]))
"""
    done = program(folder, "python", "-c", script)
    assert done.returncode == 0, done.stderr
    results: dict[str, list] = {}
    for name, *rest in map(json.loads, done.stdout.splitlines()):
        results.setdefault(name, []).append(rest)
    return results


def test_every_experiment_is_tried():
    assert [file.stem for file in FILES] == sorted(PARTS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_begins_with_the_command_what_to_expect_and_how_long_it_takes(file):
    head = re.match(r"# @package _global_\n(#.*\n)+", file.read_text())
    assert head and "xpect" in head.group() and re.search(r"\d+ (hours|minutes)", head.group())
    first = commands(file)[0]
    assert first[:2] == ["train", "-m"] and f"experiment={file.stem}" in first


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_part_of_it_runs_and_its_plots_draw(outcomes, name):
    for line, status, output in outcomes[name]:
        assert status in (0, None), (line, output)
    assert f"{RUNS.get(name, 2)} of {RUNS.get(name, 2)} runs finished" in outcomes[name][0][2]
    written = {"plot": "accuracy.png", "report": "report.html", "evaluate": "nearest_cnn.csv"}
    assert len(outcomes[name]) > 1 and all(
        written[line[0]] in output for line, _, output in outcomes[name][1:]
    )
