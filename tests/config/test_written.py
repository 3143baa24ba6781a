"""Settings of data that a run has written give the same DataConfig again."""

from dataclasses import asdict

import pytest

from vision.config import AugmentConfig, DataConfig, flatten, written_data

GIVEN = DataConfig(
    name="mine",
    source="far_marker",
    options={"distance": 6},
    root="elsewhere",
    img_size=32,
    fit_sizes=[20, 40],
    mean=[0.1, 0.2, 0.3],
    val_fraction=0.2,
    augment=AugmentConfig(crop_padding=2, policy="randaugment", policy_options={"num_ops": 1}),
)


def test_flat_settings_give_the_same_data_again():
    assert written_data(dict(flatten({"data": asdict(GIVEN), "seed": 3}))) == GIVEN


def test_old_names_are_understood_and_unknown_ones_left_out():
    written = {
        "data.source": "digits",
        "data.memory_share": 0.25,
        "data.augment.erasing": 0.1,
        "data.gone": 1,
    }
    data = written_data(written)
    assert (data.max_memory_fraction, data.augment.random_erasing) == (0.25, 0.1)


def test_without_a_source_there_are_no_data():
    with pytest.raises(
        ValueError, match=r"data\.source is missing, so the data that the run was trained on are not"
    ):
        written_data({"seed": 1, "data.name": "digits"})
