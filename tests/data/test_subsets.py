"""Subsets: stratified, nested, seeded, and fingerprinted as documented."""

import hashlib

import numpy as np
import pytest
import torch

from vision.data import draw_subset
from vision.data.subsets import stratified_split

BALANCED = torch.arange(10).repeat(100)
UNBALANCED = torch.repeat_interleave(torch.arange(5), torch.tensor([3, 10, 57, 230, 700]))[
    torch.randperm(1000)
]
EXTREME = torch.tensor([0] * 500 + [1])


def draw(labels, size, *, seed=0, val_fraction=0.1, val_from="subset"):
    return draw_subset(labels, size, seed=seed, val_fraction=val_fraction, val_from=val_from)


def everything(subset):
    return set(subset.train.tolist()) | set(subset.val.tolist())


@pytest.mark.parametrize("labels", [BALANCED, UNBALANCED, EXTREME], ids=["balanced", "unbalanced", "extreme"])
@pytest.mark.parametrize("val_fraction", [0.0, 0.1, 0.35, 0.8])
def test_nested_over_all_sizes(labels, val_fraction):
    smaller = None
    for size in range(len(labels.unique()), len(labels) + 1, 7):
        subset = draw(labels, size, val_fraction=val_fraction)
        train, val = set(subset.train.tolist()), set(subset.val.tolist())
        assert len(train) + len(val) == size and not train & val
        assert labels[subset.train].unique().tolist() == labels.unique().tolist()
        if smaller:
            assert smaller[0] <= train and smaller[1] <= val
        smaller = train, val


@pytest.mark.parametrize("size", [10, 11, 57, 100, 503, 999])
def test_counts_of_balanced_classes_differ_by_at_most_one(size):
    subset = draw(BALANCED, size)
    for chosen in (subset.train, subset.val, torch.cat((subset.train, subset.val))):
        counts = BALANCED[chosen].bincount(minlength=10)
        assert counts.max() - counts.min() <= (2 if chosen is subset.train else 1)


def test_counts_of_unbalanced_classes_are_proportional():
    labels = torch.repeat_interleave(torch.arange(4), torch.tensor([100, 200, 300, 400]))
    for size in range(10, 1000, 10):
        subset = draw(labels, size, val_fraction=0.0)
        exact = size * torch.tensor([0.1, 0.2, 0.3, 0.4])
        assert (labels[subset.train].bincount() - exact).abs().max() <= 1


def test_a_rare_class_keeps_its_image():
    assert EXTREME[draw(EXTREME, 2, val_fraction=0.5).train].tolist() == [0, 1]
    assert 500 in draw(EXTREME, 50, val_fraction=0.9).train


@pytest.mark.parametrize("per_class", [2, 5, 10, 33, 100])
def test_validation_takes_its_share_of_balanced_classes(per_class):
    assert len(draw(BALANCED, 10 * per_class).val) == per_class
    assert len(draw(BALANCED, 10).val) == 0


def test_seeds_and_fingerprint():
    first, again, other = draw(BALANCED, 200), draw(BALANCED, 200), draw(BALANCED, 200, seed=1)
    assert torch.equal(first.train, again.train) and torch.equal(first.val, again.val)
    assert everything(first) != everything(other) and first.sha256 != other.sha256
    indices = np.array(sorted(everything(first)), dtype="<i8")
    assert first.sha256 == hashlib.sha256(indices.tobytes()).hexdigest()
    assert draw(BALANCED, 200, val_fraction=0.3).sha256 == first.sha256
    assert first.train.dtype == torch.int64 and torch.equal(first.train, first.train.sort().values)


def test_the_draw_is_the_same_on_every_machine():
    fingerprint = "f0c84b6c66397dee60728386672cd9375a6ba954261fc55a63018843734fa495"
    assert draw(BALANCED, 50).sha256 == fingerprint


def test_all_and_strings():
    assert everything(draw(BALANCED, "all")) == set(range(1000))
    assert everything(draw(BALANCED, "500")) == everything(draw(BALANCED, 500))
    assert everything(draw(BALANCED, np.int64(500))) == everything(draw(BALANCED, 500))


@pytest.mark.parametrize(
    "wrong", [1001, 9, 0, -5, 100.5, True, "abc", "100.5", "", None, [100], float("nan"), float("inf")]
)
def test_sizes_out_of_range(wrong):
    with pytest.raises(ValueError) as error:
        draw(BALANCED, wrong)
    expected = "train_size must be an integer from 10 (one image per class) to 1000 (all of them), or 'all'"
    assert str(error.value) == f"{expected}, got {wrong!r}"


@pytest.mark.parametrize("wrong", [1.0, -0.1, float("nan")])
def test_val_fraction_out_of_range(wrong):
    with pytest.raises(ValueError, match="val_fraction"):
        draw(BALANCED, 100, val_fraction=wrong)


def test_hold_out_is_stratified():
    rest, held = stratified_split(BALANCED, 0.2)
    assert BALANCED[held].bincount().tolist() == [20] * 10
    assert sorted((*rest.tolist(), *held.tolist())) == list(range(1000))


@pytest.mark.parametrize("labels", [BALANCED, UNBALANCED], ids=["balanced", "unbalanced"])
def test_validation_from_the_rest_leaves_the_whole_subset_to_train_on(labels):
    smaller = None
    for size in range(len(labels.unique()), len(labels), 97):
        subset = draw(labels, size, val_fraction=0.2, val_from="rest")
        assert torch.equal(subset.train, draw(labels, size, val_fraction=0.0).train)
        assert subset.sha256 == draw(labels, size).sha256 and subset.size == len(subset.train) == size
        train, val = set(subset.train.tolist()), set(subset.val.tolist())
        assert len(val) == max(1, round(0.2 * (len(labels) - size))) and not train & val
        if smaller:
            assert smaller >= val
        smaller = val


def test_validation_from_the_rest_is_stratified():
    val = draw(BALANCED, 500, val_fraction=0.2, val_from="rest").val
    assert BALANCED[val].bincount().tolist() == [10] * 10
    assert len(draw(BALANCED, 999, val_fraction=0.1, val_from="rest").val) == 1


@pytest.mark.parametrize("size", [1000, "all"])
def test_validation_from_the_rest_needs_a_rest(size):
    assert draw(BALANCED, size, val_fraction=0.0, val_from="rest").val.numel() == 0
    with pytest.raises(ValueError) as error:
        draw(BALANCED, size, val_from="rest")
    assert str(error.value) == (
        f"data.val_from=rest takes validation images from outside the subset, and train_size={size} leaves "
        "none; use a smaller train_size, data.val_from=subset, or data.val_fraction=0"
    )
