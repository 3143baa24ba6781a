"""The subcommands of `vision`. The module of a subcommand is imported only when it is called.

`vision.cli.NAME` has the function `add_arguments(parser)` and a function NAME, which gets the arguments as
keywords and returns the exit status.

>>> main(["status", "outputs/demo"])  # doctest: +SKIP
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from vision.cli.commands import COMMANDS
from vision.cli.imports import without_garbage_collection
from vision.cli.own_modules import COMMANDS_WITH_MODELS, add_module_argument, import_own_modules
from vision.cli.stderr import tell

COMPLETION = ("-sc", "--shell-completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else ""
    try:
        status = _run(command, words)
        sys.stdout.flush()
        return status
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "vision":
            raise
        from vision.cli.missing_packages import advice

        tell(f"vision {command}: {advice(error.name)}")
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the rest is flushed at exit
        return 128 + signal.SIGPIPE
    except (ValueError, OSError) as error:
        tell(f"vision {command}: {error}")
    return 2


def _run(command: str, words: list[str]) -> int:
    of_hydra = words[1:] if command == "train" else words
    if of_hydra and of_hydra[0] in COMPLETION:
        from vision.cli.completion import complete

        return complete(of_hydra)
    if command == "train":  # its arguments are Hydra's
        from vision.cli.train.train import train

        return train(words[1:])
    options = vars(_parser(command).parse_args(words))
    command = options.pop("command")
    with without_garbage_collection():
        import_own_modules(options.pop("modules", None) or ())
        run = getattr(import_module(f"vision.cli.{command}"), command)
    return run(**options)


def _parser(chosen: str) -> argparse.ArgumentParser:
    """Return the parser of all subcommands, with the arguments of the chosen one."""
    parser = argparse.ArgumentParser(
        prog="vision",
        description="Train, compare and convert vision transformers and CNNs.",
        epilog="example: vision train -m experiment=demo && vision report outputs/demo",
    )
    parser.add_argument("--version", action="version", version=version("vit-vs-cnn"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        subparser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == chosen:
            with without_garbage_collection():
                module = import_module(f"vision.cli.{name}")
            module.add_arguments(subparser)
            if name in COMMANDS_WITH_MODELS:
                add_module_argument(subparser)
    return parser
