"""`vision train`: its help, the settings it composes, what it refuses, and one run."""

import pytest
from commands import TINY


def test_the_help_of_train_shows_examples_and_groups(tmp_path, vision):
    shown = vision(tmp_path, "train", "--help").stdout
    for text in ("vision train -m experiment=data_size", "model: ", "cifar10_jpeg", "batch_size: 64"):
        assert text in shown
    assert " _backbone" not in shown and "_small" not in shown  # bases of other files


def test_cfg_job_prints_the_settings_and_runs_nothing(tmp_path, vision):
    shown = vision(tmp_path, "train", "--cfg", "job", "data=cifar10", "model=cnn")
    assert shown.returncode == 0
    assert "name: field_cnn" in shown.stdout and "source: torchvision" in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_sizes_of_a_sweep_come_from_the_data(tmp_path, vision):
    composed = vision(tmp_path, "train", "experiment=data_size", "data=digits", "--cfg", "all", "--resolve")
    assert "train_size: 50,100,250,500,1200" in composed.stdout, composed.stderr
    assert "sweep: data_size-digits" in composed.stdout


WRONG = {
    "trainng.lr=1": ["trainng"],
    "training.learning_rate=1": ["there is no setting training.learning_rate"],
    "training.lr=fast": ["training.lr must be a number, got fast"],
    "model=vot": ["model=vot is not there; choose one of", "vit"],
    "training.precision=half": ["training.precision", "half", "bfloat16"],
    "model=timm model.name=convnxt_atto": ["model.name", "convnxt_atto", "convnext_atto"],
    "output_dir=taken": ["output_dir must be a folder", "got taken, which is a file"],
    "data=parquet": ["data.root must be given"],
    "-m training.lr=0.1,0.2": ["share the folder", "training.lr=0.1", "sweep="],
    "-m model=vit,cnn training.warmup_fraction=2": ["training.warmup_fraction", "got 2"],
    "-m model=cnn --cfg job": ["Only one of"],
    "-m model=cnn data.source=digit": ["data.source", "digits", "got 'digit'"],
    "-m model=cnn training.device=mps": ["training.device=mps", "cpu"],
    "-m model=cnn train_size=20,5000 data.fit_sizes=[]": ["train_size", "from 10", "to 1437", "got 5000"],
    "model=cnn train_size=5 data.fit_sizes=[]": ["train_size", "from 10", "got 5"],
    "-m model=cnn data=image_folder data.name=x data.root=nowhere": ["data.root='nowhere' is not a folder"],
    "-m model=vit,cnn model.kwargs.params=2": ["params"],
    "-m model=timm model.name=swin_tiny_patch4_window7_224 +model.kwargs.depths=7": [
        "swin_tiny_patch4_window7_224",
        "depths",
        "not iterable",
    ],
    "model=cnn model.kwargs.params=100000000000": [
        "model.name='field_cnn'",
        "100,000,000,000 parameters and needs 1,600.0 GB",
    ],
    "model=cnn training.batch_size=100000000000": ["training.batch_size=100000000000 needs", "smaller"],
    "-m model=cnn training.threads=100000": ["training.threads must be from 1 to 1024, got 100000"],
    "-m model=cnn training.lr=inf": ["training.lr must be a finite number, got inf"],
    "model=cnn training.clip_grad=inf": ["training.clip_grad must be a finite number, got inf"],
    "model=cnn +model.kwargs.x=[1,nan]": ["model.kwargs.x[1] must be a finite number, got nan"],
    "model=cnn data.augment.crop_padding=100": ["crop_padding must be below", "8 pixels, got 100"],
    "model=cnn data.augment.mixup=1e308": ["mixup must be 0 or from 0.001 to 100, got 1e+308"],
    "model=cnn training.label_smoothing=0.999999": ["label_smoothing must be 0 or from 1e-06 to 0.9"],
    "model=cnn sweep=../../x": ["sweep must be the name of a folder below output_dir", "got '../../x'"],
    "model=cnn sweep=/tmp/x": ["sweep must be the name of a folder below output_dir"],
    "+hydra.callbacks.x._target_=os.getcwd": ["hydra.callbacks.x._target_ must not be os.getcwd"],
    # These are reached through a module of Hydra, or are imported there.
    "+hydra.callbacks.x._target_=hydra.experimental.callbacks.logging.os.getcwd": ["_target_ must not be"],
    "+hydra.callbacks.x._target_=hydra.experimental.callbacks.Path": ["_target_ must not be hydra.exp"],
    "-m model=cnn hydra.launcher._target_=os.getcwd": ["hydra.launcher._target_ must not be os.getcwd"],
    "model=cnn output_dir=/proc/outputs": ["output_dir must be a folder that can be written to"],
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_refused_by_name_before_anything_is_written(line, tmp_path, vision):
    (tmp_path / "taken").touch()
    refused = vision(tmp_path, "train", "debug=tiny", *line.split())
    assert refused.returncode != 0 and "Traceback" not in refused.stderr
    if "must be" in refused.stderr:
        assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
    for word in WRONG[line]:
        assert word in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["taken"], "nothing may be written"


def test_another_config_in_a_finished_folder_is_an_error_that_shows_the_difference(sweep, vision):
    for many in ([], ["-m"]):
        refused = vision(sweep, "train", *many, *TINY, "model=cnn", "train_size=20", "training.steps=4")
        assert refused.returncode != 0
        assert "training.steps: 3 there, 4 requested" in refused.stderr and "sweep=" in refused.stderr


def test_a_single_run_is_skipped_too(sweep, vision):
    again = vision(sweep, "train", *TINY, "model=cnn", "train_size=20")
    assert again.returncode == 0 and "finished before" in again.stderr
    assert again.stdout.strip() == "outputs/tiny/runs/CNN/n20/s0"
