"""How many optimizer steps a run makes, and after which of them it is evaluated.

>>> budget_steps(TrainingConfig(steps=None, epochs=2, batch_size=64), train_images=100)
4
"""

import math

from vision.config import TrainingConfig


def budget_steps(config: TrainingConfig, train_images: int) -> int:
    """Return the number of optimizer steps.

    A budget in epochs is counted over `train_images`; it is at least `config.min_steps`.
    """
    if config.steps is not None:
        return config.steps
    return max(config.min_steps or 1, math.ceil((config.epochs or 1.0) * train_images / config.batch_size))


def evaluation_steps(steps: int, evaluations: int) -> set[int]:
    """Return the numbers of the steps that an evaluation follows, evenly spaced, the last one included.

    >>> sorted(evaluation_steps(10, 3))
    [3, 7, 10]
    """
    count = min(steps, evaluations)
    return {round(steps * part / count) for part in range(1, count + 1)}
