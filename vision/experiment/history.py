"""What a run has behind it while it trains; it is kept in checkpoints, so that a cut run continues."""

from time import perf_counter

from torch import nn

from vision.dynamic import JsonObject, StateDict
from vision.experiment.best_weights import BestWeights

Line = JsonObject  # of metrics.jsonl


class History:
    """The validations of a run, its time, and where it was cut.

    Args:
        state: that of a run which was cut, as `RunCheckpoint.read` returns it; None for a new run.
        patience: of training.patience; with one, the weights of the lowest validation loss are kept.

    Attributes:
        curve: the lines of metrics.jsonl.
        cut: steps after which the run was cut.
        out_of_patience: whether training should stop.
    """

    def __init__(self, state: StateDict | None, patience: int | None) -> None:
        state = state or {}
        self.curve: list[Line] = state.get("curve", [])
        self.cut: list[int] = [*state["cut"], state["training"]["done"]] if state else []
        self.out_of_patience = False
        self._best = BestWeights(patience) if patience else None
        if self._best and state:
            self._best.load_state_dict(state["best"])
        self._start = perf_counter() - state.get("seconds", 0.0)

    @property
    def done(self) -> int:
        """Steps that were made before this process."""
        return self.cut[-1] if self.cut else 0

    @property
    def seconds(self) -> float:
        """Seconds of training, those before a cut included."""
        return perf_counter() - self._start

    def add(self, line: Line, model: nn.Module) -> None:
        """Note a validation."""
        self.curve.append(line)
        if self._best:
            self.out_of_patience = self._best.is_out_of_patience(model, line["val_loss"])

    def restore_best(self, model: nn.Module) -> Line:
        """Give the model the weights to keep, if they are not the last; return their validation."""
        if self._best is None:
            return self.curve[-1]
        model.load_state_dict(self._best.weights)
        return self.curve[self._best.evaluation]

    def state_dict(self) -> StateDict:
        """Return what `History` continues from, next to the state of the training."""
        state = {"curve": self.curve, "cut": self.cut, "seconds": self.seconds}
        return state | ({"best": self._best.state_dict()} if self._best else {})
