"""Nasty overrides: each is a run, or one sentence with exit status 2 and nothing written."""

import pytest

REFUSED = {
    "foo": "foo cannot be read as NAME=VALUE",
    "=1": "=1 cannot be read as NAME=VALUE",
    "training..lr=1": "training..lr=1 cannot be read as NAME=VALUE",
    "training.lr=": "training.lr must be a number, got",
    "training.lr=1,2": "training.lr=1,2 has several values: add -m",
    "+training.lr=1": "training.lr is a setting, which takes no plus",
    "~training.lr": "training.lr cannot be removed",
    "+foo=1": "there is no setting foo",
    "training.learning_rat=1": "there is no setting training.learning_rat",
    "seed=1.5": "seed must be an integer, got 1.5",
    "seed=null": "seed must be other than null",
    "save_logits=maybe": "save_logits must be true or false, got maybe",
    "data.augment.flip=2": "data.augment.flip must be true or false, got 2",
    "data.mean=5": "data.mean must be a list",
    "data.augment=5": "data.augment must be a dictionary of settings, got 5",
    "model.kwargs.depht=2": "model.kwargs has no depht yet; a plus adds it: +model.kwargs.depht=VALUE",
    "model=null": "model must be the name of a file in conf/model, such as model=vit, got nothing",
    "model=[1]": "model must be the name of a file in conf/model",
    "data=nosuch": "data=nosuch is not there; choose one of cifair10, cifair100, cifar10",
    "sweep=a=b": "sweep=a=b cannot be read",
    "model.label=a(b": "two kinds of quotes in a shell: \"model.label='a(b'\"",
    'sweep="a\x1b[31m"': "sweep must be a name without control characters",
    f"sweep={'x' * 300}": "sweep must be a name of at most 255 bytes",
    f"output_dir={'x' * 300}": "File name too long",
    "train_size=[]": "train_size must be a number of images, or all, got []",
    "data.train_sizes=abc": "data.train_sizes must be numbers",
    "training.lr=1e-320": "training.lr must be from 1e-12 to 1e+30",
    "training.steps=100000000000": "training.steps must be from 1 to 1000000000",
    "data.std=[0] data.mean=[0.5]": "data.std must be from 1e-06 to 1, got 0",
    "data.mean=[0.5,0.5] data.std=[1,1]": "data.mean and data.std must have one value per channel, 1, got 2",
    "data.augment.policy=randaugment +data.augment.policy_options.num_ops=1000000000": "num_ops must be from",
    "data.augment.policy=randaugment +data.augment.policy_options.magnitude=1000": "cannot be done",
    "training.optimizer=sgd +training.optimizer_options.nesterov=abc": "must be true or false, got 'abc'",
    "+training.optimizer_options.foreach=maybe": "training.optimizer=adamw cannot be made",
    "training.schedule=step +training.schedule_options.decay_rate=-5": "decay_rate must be from 0 to 100",
    "training.schedule=multistep +training.schedule_options.decay_milestones=[5]": "fractions of the steps",
    "+training.schedule_options.cycle_mul=0": "training.schedule=cosine cannot be made",
    "+model.kwargs.depth=100000": "model.kwargs.depth must be from 1 to 1000",
    "+model.kwargs.depth=abc": "model.kwargs.depth must be an integer, got 'abc'",
    "+model.kwargs.drop_path_rate=2": "model.kwargs.drop_path_rate must be 0 or from 1e-06 to below 1, got 2",
    "model.module=../x": "model.module must be a module",
    "--foo": "unrecognized arguments: --foo",
    "--config-dir /nosuch": "Additional config directory '/nosuch' not found",
    "--config-name nosuch": "Cannot find primary config 'nosuch'",
    "--experimental-rerun x.pickle": "--experimental-rerun is not supported",
    "-m seed=range(1000000000000)": "a sweep must have from 1 to 100,000 runs",
    "-m seed=range(0)": "a sweep must have from 1 to 100,000 runs, got 0",
    "-m model=cnn,null": "model must be the name of a file in conf/model",
    "hydra.run.dir=/proc/x": "/proc/x",
    "data.augment.mixup=0.5 training.batch_size=7": "training.batch_size must be even with",
    "data.augment.cutmix=0.5 training.batch_size=15": "training.batch_size must be even with",
    "training.patience=2 data.val_fraction=0": "training.patience=2 needs validation images",
    "training.patience=2 train_size=10": "training.patience=2 needs validation images; there are none with",
    "model=resnet18 training.batch_size=1": "training.batch_size=1 and training.accumulation_steps=1, whose",
    "training.optimizer=sgd +training.optimizer_options.nesterov=1": "nesterov must be true or false, got 1",
    "-m seed=range(0,3,0)": "a range must have a step other than 0, got seed=range(0,3,0)",
    "-m model=glob(nosuch*)": "a sweep must have a run, got none from",
    "-m hydra.sweeper.params=5": "hydra.sweeper.params must be a dictionary of settings, got 5",
    "--hydra-help": "Could not override 'debug'",
    "hydra.searchpath=[/nosuch]": "hydra.searchpath must name folders that exist, got /nosuch",
    "output_dir=null": "output_dir must be other than null",
    "output_dir=s3://bucket/x": "output_dir must be a folder of a file system here, got 's3://bucket/x'",
    "data.dataset=mnist": "data.dataset must be null for data.source=digits, got 'mnist'",
    "data.mean=[] data.std=[]": "data.mean and data.std must each have one value per channel, got []",
    "data.augment={flip:3}": "data.augment.flip must be true or false, got 3",
    "data.augment.policy=randaugment +data.augment.policy_options.fill=[1,2]": "randaugment cannot be done",
    "training.optimizer=sgd training.momentum=0.9 +training.optimizer_options.momentum=0.5": "0.5, not both",
    "+training.optimizer_options.betas=[0.9]": "training.optimizer=adamw cannot be made with",
    "+training.optimizer_options.eps=1e308": "training.optimizer_options.eps must be from 0 to 1, got 1e+308",
    "+training.schedule_options.min_lr=1e30": "min_lr must be from 0 to training.lr=0.001, got 1e+30",
    "model=cnn_continued": "model.init_from=outputs/tiny/runs/CNN/n20/s0 does not exist, and is not a run of",
    "-m model=cnn_continued": "CNN/n20/s0 does not exist, and is not a run of this command",
    "model=vit +model.kwargs.dynamic_img_pad=7": "model.kwargs.dynamic_img_pad must be True or False, got 7",
}


@pytest.mark.parametrize("line", REFUSED)
def test_one_sentence_and_nothing_written(line, tmp_path, vision):
    model = [] if "model=" in line else ["model=cnn"]
    refused = vision(tmp_path, "train", "debug=tiny", "training.threads=1", *model, *line.split())
    assert refused.returncode == 2 and REFUSED[line] in refused.stderr, refused.stderr
    assert len(refused.stderr.splitlines()) == 1 and "\x1b" not in refused.stderr
    assert not list(tmp_path.iterdir()), "nothing may be written"


@pytest.mark.parametrize(
    ("file", "told"),
    {
        "data: {augment: {flip: 2}}": "data.augment.flip must be true or false, got 2",
        "training: {compile: 0.5}": "training.compile must be true or false, got 0.5",
        "x: !!python/object/apply:os.system [touch outputs]": "could not determine a constructor for the tag",
        "training: {lr: 1": "expected ',' or '}', but got",
        "save_logits: 3": "save_logits must be true or false, got 3",
        "hydra: {sweeper: {params: {training.compile: 4}}}": "training.compile must be true or false, got 4",
        "training: {optimizer: sgd, optimizer_options: {nesterov: 1}}": "nesterov must be true or false",
    }.items(),
)
def test_numbers_in_a_file_for_what_is_true_or_false(tmp_path, vision, file, told):
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/odd.yaml").write_text(f"# @package _global_\n{file}\n")
    words = ["debug=tiny", "model=cnn", "experiment=odd", "--config-dir", "mine"]
    for many in ([], ["-m"]):
        refused = vision(tmp_path, "train", *many, *words)
        if many or "sweeper" not in file:
            assert refused.returncode == 2 and told in refused.stderr, refused.stderr
            assert len(refused.stderr.splitlines()) == 1 and not (tmp_path / "outputs").exists()


def test_names_of_every_kind_work_once_they_are_quoted(tmp_path, vision):
    words = [
        "output_dir='a=b (c) é ~'",
        "sweep='x=1, (y)'",
        "model.label='=ViT (ä)'",
        "model.kwargs.params=20000",
    ]
    done = vision(tmp_path, "train", "debug=tiny", "training.threads=1", *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a=b (c) é ~" / "x=1, (y)" / "-ViT-ä-" / "n20" / "s0" / "result.json").exists()
