"""The scores of a trained model."""

import math
from typing import NamedTuple

from vision.config import RunConfig
from vision.data import Inputs
from vision.experiment.own_functions import OwnMetrics
from vision.experiment.train import Score, TrainedRun
from vision.training import NonFiniteLoss, Scores

TRAIN_IMAGES_SCORED = 10_000


class FinalScores(NamedTuple):
    """The scores of the trained model on the test images, and on the first training images.

    Attributes:
        test: on the test images.
        train: on the first training images.
        metrics: own metrics on the test images.
    """

    test: Scores
    train: Scores
    metrics: dict[str, float]


def final_scores(trained: TrainedRun, inputs: Inputs, config: RunConfig, score: Score) -> FinalScores:
    """Score the trained model.

    Raises:
        NonFiniteLoss: the test loss is not a number.
    """
    test = score(trained.model, inputs.eval_batches(inputs.test))
    if not math.isfinite(test.loss):
        raise NonFiniteLoss(trained.steps, config.training.lr, test.loss)
    first = inputs.subset.train[:TRAIN_IMAGES_SCORED]
    metrics = OwnMetrics(config.training)(test.logits, inputs.test.labels.cpu())
    train = score(trained.model, inputs.eval_batches(inputs.source.train, first))
    return FinalScores(test, train, metrics)
