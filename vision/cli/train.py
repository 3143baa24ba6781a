"""`vision train`: Hydra composes the config of each run, and each unfinished run is trained.

vision train -m experiment=data_size data=digits
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

from vision.cli.old_names import accept_old_names, current_overrides
from vision.cli.output_paths import check_folder
from vision.cli.progress import Progress
from vision.cli.schema import conf_folder, store_schema, to_run_config

MULTIRUN = ("-m", "--multirun")


def train(arguments: Sequence[str]) -> int:
    """Run `vision train` with Hydra's arguments; returns the exit status."""
    try:
        arguments = current_overrides(arguments)
        for word in arguments:
            if word.startswith("output_dir="):
                check_folder("output_dir", Path(word.removeprefix("output_dir=")))
    except ValueError as error:
        print(f"vision train: {error}", file=sys.stderr)
        return 2
    store_schema()
    _register_sweeper()
    accept_old_names()
    # The user's modules, data.module and model.module, may be in the current folder.
    sys.path.append(os.getcwd())
    # argparse loses the settings after a flag, so -m goes first.
    sys.argv = ["vision", *sorted(arguments, key=lambda argument: argument not in MULTIRUN)]
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")(_run)()
    except ValueError as error:  # Hydra's own flags, used against each other
        print(f"vision train: {error}", file=sys.stderr)
        return 2
    return 0


def complete(arguments: Sequence[str]) -> int:
    """Complete a command line in the shell: subcommands here, the settings of train through Hydra."""
    from vision.cli.main import COMMANDS

    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    if "query=bash" in arguments and (len(words) < 2 or words[1] != "train"):
        print(*COMMANDS)
        return 0
    os.environ["COMP_LINE"] = line.replace(" train", "", 1)
    return train(arguments)


def _register_sweeper() -> None:
    plugins = Plugins.instance()
    # Imported late: creating `plugins` reloads Hydra's own sweepers, and ours derives from one of them.
    from hydra_plugins._vision import ResumingSweeper

    plugins.register(ResumingSweeper)
    node = {"_target_": "hydra_plugins._vision.ResumingSweeper", "max_batch_size": None, "params": None}
    ConfigStore.instance().store(group="hydra/sweeper", name="resuming", node=node, provider="vision")


def _run(composed: DictConfig) -> None:
    from vision.experiment import check_run, run

    try:
        config = to_run_config(composed)
        check_run(config)
    except ValueError as error:
        print(f"vision train: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    progress = Progress(config)
    try:
        progress.finish(run(config, progress))
    except Exception as error:
        progress.fail(error)
        if "VISION_DEBUG" in os.environ:
            traceback.print_exc()
        if not progress.in_sweep:
            raise SystemExit(1) from error
