"""Whether the training loss had stopped to fall, from the lines of metrics.jsonl."""

import pytest

from vision.results import late_loss_fall, undertrained


def curve(*losses: float, step: int = 7) -> list[dict]:
    return [{"step": (index + 1) * step, "train_loss": loss} for index, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("losses", "share"),
    [
        ((5, 4, 3, 2, 1), 0.25),
        ((5, 2, 1, 1, 1), 0.0),
        ((5, 5, 5, 5, 1), 1.0),
        ((3, 2, 1, 1, 1.5), -0.3333),
        (range(20, 0, -1), 0.25),
        ((1, 1, 1, 1, 1), None),
        ((1, 2, 3, 4, 5), None),
        ((5, 4, 3, 2), None),
        ((5,), None),
        ((), None),
    ],
)
def test_the_share_of_the_fall_in_the_last_fifth(losses, share):
    assert late_loss_fall(curve(*losses)) == share


def test_lines_count_by_their_steps():
    lines = [*curve(5, 4, 3, 2, step=10), {"step": 49, "train_loss": 1}, {"step": 50, "train_loss": 11}]
    # the last fifth has the mean (9 * 1 + 1 * 11) / 10 = 2: nothing fell
    assert late_loss_fall(lines) == 0.0


def test_runs_are_counted_by_what_tells():
    losses = [{"late_loss_fall": 0.2}, {"late_loss_fall": None}, {"late_loss_fall": 0.06}]
    accuracies = [{"train_accuracy": 0.5}, {"train_accuracy": 1.0}, {"train_accuracy": 0.95}]
    runs = [loss | accuracy for loss, accuracy in zip(losses, accuracies, strict=True)]
    counts = {"training accuracy below 0.9": 1, "training loss still falling": 2}
    assert undertrained(runs) == counts
    assert undertrained(accuracies) == {"training accuracy below 0.9": 1}
    assert undertrained([{"test_accuracy": 0.1}]) == {}
