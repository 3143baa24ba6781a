"""Finished runs of earlier versions stay the same runs when a setting is added."""

from vision.config import setting_types
from vision.results.identity import NON_IDENTIFYING, UNUSED

# The settings that the records of all versions have.
OF_ALL_VERSIONS = {
    *("data.name", "data.source", "data.module", "data.dataset", "data.root", "data.img_size"),
    *("data.val_fraction", "data.test_size", "data.subset_seed", "data.train_sizes", "data.mean", "data.std"),
    *("data.augment.crop_padding", "data.augment.flip", "data.augment.mixup", "data.augment.cutmix"),
    *("data.augment.random_erasing", "model.name", "model.label", "model.module", "model.init_from"),
    *("model.kwargs", "training.steps", "training.epochs", "training.batch_size", "training.lr"),
    *("training.weight_decay", "training.warmup_fraction", "training.label_smoothing", "training.clip_grad"),
    *("training.ema_decay", "training.num_evaluations", "training.compile", "training.precision"),
    *("training.device", "train_size", "seed"),
}


def test_every_newer_setting_has_a_neutral_value_or_does_not_identify_a_run():
    names = {name for name, _ in setting_types()}
    leaves = {name for name in names if not any(other.startswith(f"{name}.") for other in names)}
    newer = leaves - OF_ALL_VERSIONS - set(UNUSED) - set(NON_IDENTIFYING)
    assert not newer, (
        "give its neutral value in UNUSED, or its name in NON_IDENTIFYING, in results/identity.py"
    )
    assert leaves >= OF_ALL_VERSIONS | set(UNUSED) | set(NON_IDENTIFYING)
