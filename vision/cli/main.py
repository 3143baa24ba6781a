"""The subcommands and their help.

>>> main(["status", "--help"])  # doctest: +SKIP
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

COMPLETION = ("-sc", "--shell-completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] == "train":
        from vision.cli.train import train

        return train(given[1:])
    if given and given[0] in COMPLETION:
        from vision.cli.train import complete

        return complete(given)
    options = _parser().parse_args(given)
    try:
        return options.run(options)
    except (ValueError, FileNotFoundError) as error:
        print(f"vision {options.command}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vision",
        description="Vision transformers against CNNs: train, sweep over training-set sizes, plot.",
        epilog="example: vision train -m experiment=demo && vision plot outputs/demo",
    )
    parser.add_argument("--version", action="version", version=version("vit-vs-cnn"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("train", help="train one model, or with -m a sweep of many (Hydra)")

    plot = _command(
        commands, "plot", "draw accuracy against training-set size", "vision plot outputs/data_size-digits"
    )
    plot.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep; it may still be running")
    plot.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write (default: into the sweep's folder)"
    )
    plot.set_defaults(run=_plot)

    status = _command(
        commands,
        "status",
        "count finished, failed and missing runs",
        "vision status outputs/data_size-digits",
    )
    status.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep")
    status.set_defaults(run=_status)

    models = _command(
        commands,
        "models",
        "list models, with parameters and multiply-adds of ours",
        "vision models 'resnet*'",
    )
    models.add_argument(
        "pattern", nargs="?", metavar="PATTERN", help="which of timm's names to list, as 'convnext*'"
    )
    models.set_defaults(run=_models)
    return parser


def _command(
    commands: argparse._SubParsersAction, name: str, text: str, example: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=text, description=text.capitalize() + ".", epilog=f"example: {example}"
    )


def _plot(options: argparse.Namespace) -> int:
    from vision.cli.show import plot

    return plot(options.folder, options.out or options.folder)


def _status(options: argparse.Namespace) -> int:
    from vision.cli.show import status

    return status(options.folder)


def _models(options: argparse.Namespace) -> int:
    from vision.cli.show import models

    return models(options.pattern)
