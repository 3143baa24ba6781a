"""The weights of the lowest validation loss, for early stopping."""

import math

from torch import Tensor, nn

from vision.dynamic import StateDict


class BestWeights:
    """The weights of the lowest validation loss, and how many evaluations have passed since."""

    def __init__(self, patience: int) -> None:
        self.patience, self.lowest, self.weights = patience, math.inf, dict[str, Tensor]()
        self.evaluation = self.seen = 0

    def is_out_of_patience(self, model: nn.Module, loss: float) -> bool:
        """Note one evaluation."""
        if loss < self.lowest or not self.weights:
            self.lowest, self.evaluation = loss, self.seen
            self.weights = {name: value.clone() for name, value in model.state_dict().items()}
        self.seen += 1
        return self.seen - 1 - self.evaluation >= self.patience

    def state_dict(self) -> StateDict:
        """Return all but the patience."""
        return {name: getattr(self, name) for name in ("lowest", "weights", "evaluation", "seen")}

    def load_state_dict(self, state: StateDict) -> None:
        """Go on where `state_dict` was called."""
        for name, value in state.items():
            setattr(self, name, value)
