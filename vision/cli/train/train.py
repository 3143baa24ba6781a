"""`vision train`: Hydra composes the config of each run, and each unfinished run is trained.

vision train -m experiment=data_size data=digits
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vision import results
from vision.cli.missing_packages import advice
from vision.cli.output_paths import check_folder
from vision.cli.own_modules import find_modules_here
from vision.cli.stderr import tell
from vision.cli.train.hydra_errors import NO_FOLDER, answer_in_one_sentence, sentence
from vision.cli.train.hydra_mode import know_mode
from vision.cli.train.launchers.needs import check_plugins
from vision.cli.train.old_names import accept_old_names, current_overrides
from vision.cli.train.path_arguments import quoted_paths
from vision.cli.train.progress import Progress
from vision.cli.train.schema import conf_folder, store_schema, to_run_config
from vision.cli.train.sweep_checks import check_starts
from vision.cli.train.targets import refuse_other_targets
from vision.cli.train.words import check_words, flags_last
from vision.config import this_process_of_run

MULTIRUN = ("-m", "--multirun")


def train(arguments: Sequence[str]) -> int:
    """Run `vision train` with Hydra's arguments; returns the exit status."""
    try:
        arguments = quoted_paths(current_overrides(arguments))
        arguments = flags_last(arguments)
        check_words(arguments, many=any(word in MULTIRUN for word in arguments))
        check_plugins(arguments, many=any(word in MULTIRUN for word in arguments))
        _refuse_sweep_of_processes(arguments)
        for word in arguments:
            if word.startswith("output_dir="):
                check_folder("output_dir", Path(word.removeprefix("output_dir=").strip("'\"")))
    except (ValueError, OSError) as error:
        tell(f"vision train: {error}")
        return 2
    store_schema()
    _register_plugins()
    accept_old_names()
    refuse_other_targets()
    know_mode()
    answer_in_one_sentence()
    warnings.filterwarnings("error", NO_FOLDER, UserWarning)
    find_modules_here()
    sys.argv = ["vision", *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")(_run)()
    except (ValueError, HydraException, OmegaConfBaseException) as error:  # of a flag, such as --help
        tell(f"vision train: {sentence(error)}")
        return 2
    except KeyboardInterrupt:
        tell("vision train: interrupted; the same command continues with what is left")
        return 130
    return 0


def _refuse_sweep_of_processes(arguments: Sequence[str]) -> None:
    count = this_process_of_run().count
    if count > 1 and any(argument in MULTIRUN for argument in arguments):
        raise ValueError(
            f"torchrun and srun train one run, here on {count} processes; for a sweep of such runs, give "
            "hydra/launcher=submitit_slurm hydra.launcher.tasks_per_node=2"
        )


def _register_plugins() -> None:
    plugins = Plugins.instance()
    from hydra_plugins._vision import GpuLauncher, OptunaSweeper, RayLauncher, ResumingSweeper

    for plugin in (GpuLauncher, OptunaSweeper, RayLauncher, ResumingSweeper):
        plugins.register(plugin)
    # The files of conf/hydra take the place of what other plugins offer under the same names.
    for group in ("launcher", "sweeper"):
        offered = ConfigStore.instance().repo["hydra"][group]
        for file in (conf_folder() / "hydra" / group).glob("*.yaml"):
            offered.pop(file.name, None)
    node = {"_target_": "hydra_plugins._vision.ResumingSweeper", "max_batch_size": None, "params": None}
    ConfigStore.instance().store(group="hydra/sweeper", name="resuming", node=node, provider="vision")


def _run(composed: DictConfig) -> str:
    """Run one job; returns why a sweep has to stop, or nothing."""
    from vision.cli.train.run_job import check_runs, run_here, run_in_worker

    find_modules_here()  # in a launcher's process, which may not have the path of the command
    try:
        config = results.with_checksum(to_run_config(composed))
        progress = Progress(config)
        if progress.in_sweep:  # which has checked its runs
            with progress:
                return run_in_worker(config, progress)
        if config.retry_failed:
            results.set_aside_damaged(results.run_folder(config))
        if results.load_finished(results.run_folder(config), config) is None:
            check_starts([config])
            check_runs([config])
    except (ValueError, OSError, results.DiskFull) as error:
        if this_process_of_run().rank == 0:
            tell(f"vision train: {sentence(error)}")
        raise SystemExit(2) from error
    except ModuleNotFoundError as error:  # before Hydra adds a line to it
        if error.name is None or error.name.partition(".")[0] == "vision":
            raise
        tell(f"vision train: {advice(error.name)}")
        raise SystemExit(2) from error
    with progress:
        status = run_here(config, progress)
    if status:
        raise SystemExit(status)
    return ""
