"""The trials of a search: a study of Optuna in a journal file, which survives a kill.

>>> search = Search(Path("outputs/search/optuna.journal"), space, sampler="tpe", seed=0)  # doctest: +SKIP
>>> [trial] = search.start(1)  # doctest: +SKIP
>>> search.end(trial, value=0.9)  # doctest: +SKIP

`optuna.load_study` and optuna-dashboard read the file too.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from vision.cli.train.search.space import Space
from vision.dynamic import Arguments

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    # Trials that go on count as bad ones, so that those of one batch keep away from each other.
    "tpe": lambda seed: TPESampler(seed=seed, constant_liar=True),
    "gp": lambda seed: GPSampler(seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
}
NAME, RETRY = "vision", "retry"


class Search:
    """The trials of a search.

    The parameters of a trial follow from the seed, its number and the trials before it. So a search that is
    cut and continued makes the same trials as one that is never cut. A trial is kept, with all of its
    parameters, by one line of the journal; until it ends, its state is "running".

    Args:
        journal: the file; it is made with the first trial.
        space: the distribution of each setting.
        sampler: one of SAMPLERS.
        seed: of the sampler.
    """

    def __init__(self, journal: Path, space: Space, *, sampler: str, seed: int) -> None:
        self._journal, self._space = journal, dict(space)
        self._make_sampler, self._seed = SAMPLERS[sampler], seed
        self._lock = FileLock(f"{journal}.lock")

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials by number."""
        return self._study.get_trials(deepcopy=False) if self._journal.exists() else []

    @property
    def running(self) -> list[FrozenTrial]:
        """Those that have not ended, of processes that were cut too."""
        return [trial for trial in self.trials if trial.state == TrialState.RUNNING]

    @property
    def ended(self) -> list[FrozenTrial]:
        """Those that are not running."""
        return [trial for trial in self.trials if trial.state.is_finished()]

    @property
    def finished(self) -> list[FrozenTrial]:
        """Those with a value."""
        return [trial for trial in self.trials if trial.state == TrialState.COMPLETE]

    def check_space(self) -> None:
        """Refuse a space whose choices differ from those of earlier trials; intervals may differ.

        Raises:
            ValueError: the message names the setting.
        """
        for trial in self.trials:
            for name in trial.distributions.keys() & self._space.keys():
                try:
                    check_distribution_compatibility(trial.distributions[name], self._space[name])
                except ValueError as error:
                    raise ValueError(
                        f"{name} had other values when the search in {self._journal} began; give the same "
                        f"ones, or start another search with sweep=NAME ({error})"
                    ) from error

    def left(self, n_trials: int) -> int:
        """Return how many of `n_trials` have not begun; one that is tried again counts once."""
        return max(0, n_trials - sum(RETRY not in trial.user_attrs for trial in self.trials))

    def start(self, at_once: int, *, n_trials: int) -> list[FrozenTrial]:
        """Return the running trials, after new ones have begun as long as there are fewer than `at_once`."""
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            while len(self.running) < at_once and self.left(n_trials):
                self._begin()
            return self.running

    def end(self, trial: FrozenTrial, value: float | None) -> None:
        """Keep the value of a trial; None if it failed. Another process may have done so already."""
        state = TrialState.COMPLETE if value is not None else TrialState.FAIL
        with self._lock:  # Optuna looks whether the trial has finished, and writes afterwards
            self._study.tell(trial.number, value, state=state, skip_if_finished=True)

    def retry_failed(self) -> None:
        """Begin again the failed trials that no later one repeats."""
        if not self._journal.exists():
            return
        with self._lock:
            for trial in self.trials:
                if trial.state == TrialState.FAIL and not self._is_repeated(trial):
                    self._add(trial.params, trial.distributions, repeats=trial.number)

    def first_like(self, trial: FrozenTrial) -> int:
        """Return the number of the first trial with the same parameters, whose runs are those of this one."""
        return next(other.number for other in self.trials if other.params == trial.params)

    def _begin(self) -> None:
        before = self._study.trials
        sampler = self._make_sampler(_seed_of(self._seed, len(before)))
        # In memory: a study in a file would write one parameter after another, and a kill would cut a trial.
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials(before)
        self._add(study.ask(self._space).params, self._space)

    def _add(
        self, parameters: Arguments, space: dict[str, BaseDistribution], repeats: int | None = None
    ) -> None:
        notes = {} if repeats is None else {RETRY: repeats}
        state = TrialState.RUNNING
        self._study.add_trial(
            create_trial(state=state, params=parameters, distributions=space, user_attrs=notes)
        )

    def _is_repeated(self, trial: FrozenTrial) -> bool:
        later: Sequence[FrozenTrial] = self.trials[trial.number + 1 :]
        return any(other.params == trial.params for other in later)

    @cached_property
    def _study(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with self._lock:
            _remove_cut_line(self._journal)
            backend = JournalFileBackend(str(self._journal), _JournalLock(self._lock))
            return optuna.create_study(
                storage=JournalStorage(backend), study_name=NAME, direction="maximize", load_if_exists=True
            )


class _JournalLock(JournalFileOpenLock):
    """A lock that the system releases when its process is killed; Optuna's own would stay for 30 s."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _seed_of(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _remove_cut_line(journal: Path) -> None:
    """Remove a last line that a full disk or a crash of the machine cut; Optuna could not read on."""
    content = journal.read_bytes() if journal.exists() else b""
    if content and not content.endswith(b"\n"):
        with journal.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
