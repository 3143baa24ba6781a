"""Scores of changed images: hand-computed, and of models whose answers are known to stay."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vision.models import create_model
from vision.robustness import Change, Classifier, changes, score_changes
from vision.robustness.scores import scores


def one_hot(*classes: int) -> Tensor:
    return 8 * nn.functional.one_hot(torch.tensor(classes), 3).float()


def test_scores_are_those_counted_by_hand():
    labels = torch.tensor([0, 1, 2, 2])
    found = scores(one_hot(0, 2, 2, 1), one_hot(0, 1, 1, 1), labels)
    assert found["accuracy"] == 0.5  # images 0 and 2
    assert found["kept"] == 0.5  # of images 0 and 1, which were right, image 0 stays right
    assert found["consistency"] == 0.5  # images 0 and 3
    confidence = float(torch.tensor([8.0, 0, 0]).softmax(0)[0])
    # Each image has a bin of its own: two are right, two are wrong.
    assert found["calibration_error"] == pytest.approx((2 * (1 - confidence) + 2 * confidence) / 4)


def test_without_a_correct_image_nothing_is_known_of_those_kept():
    found = scores(one_hot(1), one_hot(1), torch.tensor([0]))
    assert found["accuracy"] == 0 and found["kept"] != found["kept"]


def test_each_image_is_changed_once_for_all_models_and_normalized_for_each():
    calls: list[int] = []

    def brighten(images: Tensor, numbers: object) -> Tensor:
        calls.append(len(images))
        return images + 55

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.mean((1, 2, 3)), torch.zeros(len(x))], dim=1)

    pixels = torch.tensor([100, 150]).view(2, 1, 1, 1).expand(2, 1, 4, 4).to(torch.uint8)
    classifiers = [Classifier(Mean(), mean=[mean], std=[0.2]) for mean in (0.5, 0.9)]
    found = list(
        score_changes(classifiers, pixels, torch.tensor([1, 0]), [0, 1], [Change("bright", 2, brighten)])
    )
    assert calls == [2] and [(kind, level) for kind, level, _ in found] == [("unchanged", 0), ("bright", 2)]
    # The mean of the first model is 127.5: the images are below and above it, and brighter ones both above.
    assert [one["accuracy"] for one in found[0][2]] == [1.0, 0.5]
    assert [one["accuracy"] for one in found[1][2]] == [0.5, 0.5]
    assert [one["consistency"] for one in found[1][2]] == [0.5, 1.0]


def score_one(
    model: nn.Module, evaluation: str, shape: tuple[int, int, int]
) -> dict[float, dict[str, float]]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (24, *shape), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (24,), generator=generator)
    classifier = Classifier(model, mean=[0.5] * shape[0], std=[0.25] * shape[0])
    found = score_changes([classifier], pixels, labels, range(24), changes(evaluation, shape))
    return {level: each[0] for _, level, each in found}


def test_a_vit_without_positions_sees_a_set_of_its_own_patches():
    torch.manual_seed(0)
    model = create_model(
        "field_vit", pos_embed="none", img_size=16, patch_size=4, embed_dim=32, depth=2, in_chans=3
    )
    found = score_one(model, "shuffled_patches", (3, 16, 16))
    assert found[4]["consistency"] == 1.0  # the patches of the model
    assert found[2]["consistency"] < 0.9  # parts of them


def test_a_network_of_circular_convolutions_does_not_notice_cyclic_shifts():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular"),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )
    assert {one["consistency"] for one in score_one(network, "translations", (1, 16, 16)).values()} == {1.0}


def test_features_are_those_before_the_last_layer():
    model: Any = create_model("field_cnn", img_size=8, in_chans=1, embed_dim=8, depth=1, num_classes=3)
    classifier = Classifier(model, mean=[0.5], std=[0.5])
    images = torch.randint(256, (2, 1, 8, 8), dtype=torch.uint8)
    last: Any = model.get_classifier()
    features = classifier.features(images)
    assert features.shape == (2, model.num_features)
    with torch.inference_mode():
        torch.testing.assert_close(last(features), classifier.logits(images))
