"""How long runs take, learned from those that have finished.

>>> durations = Durations()
>>> durations.add("ViT/n100/s0", 10.0, work=1e9)
>>> durations.expected("ViT/n100/s1"), durations.expected("ViT/n200/s0", work=2e9)
(10.0, 20.0)
"""

from collections import defaultdict

Key = tuple[str, ...]


class Durations:
    """Seconds of runs by model and size.

    What is expected of a run is the mean of its model and size. Without such runs it is the mean of its
    model, and then that of all, in proportion to the work where that is known.
    """

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0
        self._seconds: dict[Key, list[float]] = defaultdict(list)
        self._rates: dict[Key, list[tuple[float, float]]] = defaultdict(list)  # seconds and work

    def add(self, run: str, seconds: float, *, work: float = 0.0) -> None:
        """Note a finished run.

        Args:
            run: its folder, which ends in MODEL/nSIZE/sSEED.
            seconds: how long it took.
            work: multiply-adds of its training; 0 if they are not known.
        """
        self.count, self.total = self.count + 1, self.total + seconds
        for key in _keys(run):
            self._seconds[key].append(seconds)
            if work:
                self._rates[key].append((seconds, work))

    def expected(self, run: str, *, work: float = 0.0) -> float | None:
        """Return the seconds that a run will take; None if no run has finished."""
        same, *others = _keys(run)
        if self._seconds[same]:
            return _mean(self._seconds[same])
        for key in others:
            if work and (rates := self._rates[key]):
                return work * sum(seconds for seconds, _ in rates) / sum(known for _, known in rates)
            if self._seconds[key]:
                return _mean(self._seconds[key])
        return None


def _keys(run: str) -> tuple[Key, Key, Key]:
    """Return what runs like this one have in common, the closest first."""
    model, size = (["", "", *run.split("/")])[-3:-1]
    return (model, size), (model,), ()


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
