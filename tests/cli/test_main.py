"""The command: its help, its subcommands, completion, and errors where there is no sweep."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import VISION
from written_runs import write_run

from vision import results
from vision.cli.commands import COMMANDS
from vision.cli.main import main
from vision.experiment import run


def test_the_installed_command_lists_every_subcommand():
    shown = subprocess.run([VISION, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f"    {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "train"])
def test_every_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert f"example: vision {command}" in capsys.readouterr().out


def test_a_subcommand_that_does_not_exist_is_refused_with_the_others(capsys):
    for arguments in (["plott"], []):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
    assert "'plot'" in capsys.readouterr().err


def test_completion_knows_subcommands_and_settings(tmp_path, vision):
    assert (
        "train status verify clean plot report evaluate compare data models predict export convert inspect"
        in vision(tmp_path, "-sc", "query=bash", COMP_LINE="vision ").stdout
    )
    offered = vision(tmp_path, "-sc", "query=bash", COMP_LINE="vision train model=").stdout
    assert "model=vit" in offered and "model=cnn" in offered
    assert vision(tmp_path, "train", "-sc", "query=bash").stdout.startswith("train status")
    script = vision(tmp_path, "-sc", "install=bash").stdout
    assert "complete -o nospace" in script and script.strip().endswith("vision")


def test_models_lists_ours_with_their_cost_and_timms_by_pattern(tmp_path, vision):
    ours = vision(tmp_path, "models", COLUMNS="160").stdout
    assert "field_vit" in ours and "207,946" in ours
    assert "convnext_atto" in vision(tmp_path, "models", "convnext*").stdout
    assert vision(tmp_path, "models", "zzz").returncode == 2


@pytest.mark.parametrize("command", ["status", "verify", "clean", "plot", "report", "evaluate", "compare"])
def test_the_folder_of_a_run_is_refused_with_that_of_its_sweep(command, small_run, capsys):
    folder = write_run(small_run)
    assert main([command, str(folder)]) == 2
    sweep = Path(small_run.output_dir).absolute() / small_run.sweep
    assert capsys.readouterr().err.endswith(f"is one run; give the folder of its sweep, {sweep}\n")
    assert (folder / results.RESULT).is_file()


def test_plot_and_status_of_a_missing_folder_are_errors(tmp_path, vision):
    for command in ("plot", "status"):
        refused = vision(tmp_path, command, "nowhere")
        assert refused.returncode == 2 and re.search("is (no|not a) folder", refused.stderr)
    refused = vision(tmp_path, "plot", "nowhere.csv")
    assert refused.returncode == 2 and "there is no file" in refused.stderr


@pytest.mark.slow
def test_a_reader_that_stops_reading_gets_no_error(tmp_path):
    for arguments in (["train", "--help"], ["models", "x*"]):
        process = subprocess.Popen(
            [VISION, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
        process.stderr.close()
        assert process.wait() in (128 + signal.SIGPIPE, 1)  # 1 is rich's


@pytest.mark.slow
def test_a_package_that_only_a_part_of_the_work_needs_is_named_in_one_line(small_run):
    folder = run(small_run)["folder"]
    for command, package, pip in (
        (["plot", str(Path(folder).parents[2])], "pyarrow", "pyarrow"),
        (["train", "debug=tiny", f"output_dir={folder}/new"], "sklearn", "scikit-learn"),
    ):
        absent = f"import sys; sys.modules[{package!r}] = sys.modules['{package}.datasets'] = None"
        code = f"{absent}; from vision.cli import main; sys.exit(main({command}))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        wanted = f"vision {command[0]}: needs the package {pip}, which is not installed: pip install {pip}\n"
        assert (done.returncode, done.stderr) == (2, wanted)
