"""A Hydra sweeper that resumes: it composes all configs and compares them with their folders first.

Chosen in conf/train.yaml as hydra/sweeper: resuming.
"""

import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from vision import results
from vision.cli.progress import announce
from vision.cli.schema import to_run_config
from vision.config import RunConfig, check

# These change no other part of a config: configs that differ only in them are composed once.
FAST_OVERRIDES = ("train_size", "seed")


class ResumingSweeper(BasicSweeper):
    """Hydra's basic sweeper, which skips finished runs and writes the plan of the sweep.

    A wrong setting, two runs for one folder, or a finished run with another config stops the sweep before
    its first run. A run that fails does not stop the others; the command then exits with status 1.
    """

    def get_job_batch(self) -> Sequence[Sequence[str]]:
        """Return the overrides of the unfinished runs of this batch."""
        try:
            return self._unfinished(super().get_job_batch())
        except ValueError as error:
            print(f"vision train: {error}", file=sys.stderr)
            raise SystemExit(2) from error

    def _unfinished(self, batch: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        runs = [self._config(overrides) for overrides in batch]
        if len({run.data.train_sizes for run in runs}) > 1 and not self._sizes_given:
            raise ValueError(
                "data sets with different data.train_sizes cannot share one sweep over them; "
                "give train_size=..., or one data set at a time"
            )
        batch, runs = _without_repeats(batch, runs)
        folders = [results.run_folder(run) for run in runs]
        done = [
            results.load_finished(folder, run) is not None for folder, run in zip(folders, runs, strict=True)
        ]
        _check_unfinished([run for run, is_done in zip(runs, done, strict=True) if not is_done])
        self._note_plan(runs, folders)
        announce(folders, finished=sum(done))
        return [overrides for overrides, is_done in zip(batch, done, strict=True) if not is_done]

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Do nothing: `get_job_batch` has composed and checked every config."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run what is missing; exit with status 1 if a run of the sweep failed."""
        self._composed = lru_cache(maxsize=None)(self._compose)
        self._planned: list[Path] = []
        self._sizes_given = any(argument.startswith("train_size=") for argument in arguments)
        started = time.perf_counter()
        returned = super().sweep(arguments)
        failed = [folder for folder in self._planned if not (folder / results.RESULT).exists()]
        for folder in failed:
            print(f"failed: {folder}, see {folder / results.FAILURE}", file=sys.stderr)
        seconds = time.perf_counter() - started
        print(
            f"{len(self._planned) - len(failed)} of {len(self._planned)} runs finished, {seconds:.0f} s",
            file=sys.stderr,
        )
        if failed:
            raise SystemExit(1)
        return returned

    def _config(self, overrides: Sequence[str]) -> RunConfig:
        quick = [override for override in overrides if override.split("=", 1)[0] in FAST_OVERRIDES]
        config = self._composed(tuple(o for o in overrides if o not in quick)).copy()
        for override in OverridesParser.create().parse_overrides(quick):
            OmegaConf.update(config, override.key_or_group, override.value())
        run = to_run_config(config)
        check(run)
        return run

    def _compose(self, overrides: tuple[str, ...]) -> DictConfig:
        assert self.hydra_context is not None and self.config is not None
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            del config["hydra"]
        return config

    def _note_plan(self, runs: Sequence[RunConfig], folders: Sequence[Path]) -> None:
        self._planned += folders
        sweeps = [Path(run.output_dir) / run.sweep for run in runs]
        for sweep in set(sweeps):
            results.write_plan(sweep, [f for f, s in zip(folders, sweeps, strict=True) if s == sweep])


def _check_unfinished(runs: Sequence[RunConfig]) -> None:
    """Check the settings of runs that need torch and timm, which a finished sweep does not import."""
    if runs:
        from vision.experiment import check_run

        for run in runs:
            check_run(run)


def _without_repeats(
    batch: Sequence[Sequence[str]], runs: Sequence[RunConfig]
) -> tuple[list[Sequence[str]], list[RunConfig]]:
    """Return each run once, however it was spelled; refuse two different runs for one folder."""
    first: dict[Path, tuple[Sequence[str], RunConfig]] = {}
    for overrides, run in zip(batch, runs, strict=True):
        folder = results.run_folder(run)
        first_overrides, other = first.setdefault(folder, (overrides, run))
        if results.fingerprint(other) != results.fingerprint(run):
            differing = sorted(set(first_overrides) ^ set(overrides))
            raise ValueError(
                f"two runs would share the folder {folder}, but differ in {', '.join(differing)}; "
                "separate them by the name of the sweep, for example sweep='lr-${training.lr}'"
            )
    unique = list(first.values())
    return [overrides for overrides, _ in unique], [run for _, run in unique]
