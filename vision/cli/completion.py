"""Completion of `vision` in the shell, by Hydra's own scripts.

eval "$(vision -sc install=bash)"
"""

import os
from collections.abc import Sequence

from vision.cli.commands import COMMANDS
from vision.cli.train.train import train


def complete(arguments: Sequence[str]) -> int:
    """Complete a command line: subcommands here, the settings of train through Hydra."""
    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    if "query=bash" in arguments and (len(words) < 2 or words[1] != "train"):
        print(*COMMANDS)
        return 0
    os.environ["COMP_LINE"] = line.replace(" train", "", 1)
    return train(arguments)
