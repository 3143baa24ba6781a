"""The subcommands and their help.

>>> main(["status", "--help"])  # doctest: +SKIP
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vision.provenance import package_version

DATA = "images to {}, {} at most (default: noise)"
SOURCE = "folder of a sweep, finished or still running, or a .csv or .parquet with a row a run"
SEARCHED = "settings, joined by commas, of which each point takes those that did best in validation"
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
    except (ValueError, OSError) as error:
        print(f"vision {options.command}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vision",
        description="Vision transformers against CNNs: train, sweep over training-set sizes, plot, convert.",
        epilog="example: vision train -m experiment=demo && vision plot outputs/demo",
    )
    parser.add_argument("--version", action="version", version=package_version("vit-vs-cnn"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("train", help="train one model, or with -m a sweep of many (Hydra)")

    _add_plot(commands)
    _add_report(commands)
    compare = _command(
        commands,
        "compare",
        "print the runs' figures beside published ones, with their sources and what differs",
        "vision compare outputs/data_size-cifar10 --to published",
    )
    compare.add_argument("source", type=Path, metavar="DIR", help=SOURCE)
    compare.add_argument("--to", default="published", choices=("published",), help="what to compare with")
    compare.add_argument("--choose", metavar="NAMES", help=SEARCHED)
    compare.set_defaults(run=_compare)

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
    _add_convert(commands)
    _add_inspect(commands)
    return parser


def _add_plot(commands: argparse._SubParsersAction) -> None:
    plot = _command(
        commands,
        "plot",
        "draw accuracy against training-set size, or against any setting",
        "vision plot outputs/data_size-digits",
    )
    plot.add_argument("source", type=Path, metavar="DIR", help=SOURCE)
    plot.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write (default: into the sweep's folder)"
    )
    axis = "a column of the records or a setting, as training.lr; several joined by commas "
    plot.add_argument("--x", metavar="NAME", default="train_size", help=f"{axis}(default: %(default)s)")
    plot.add_argument(
        "--line", metavar="NAME", default="label", help="what has a line each (default: %(default)s)"
    )
    plot.add_argument(
        "--panel", metavar="NAME", default="data", help="what has a panel each (default: %(default)s)"
    )
    plot.add_argument(
        "--metric", metavar="NAME", default="test_accuracy", help="what is averaged (default: %(default)s)"
    )
    plot.add_argument(
        "--centre",
        choices=("mean", "median", "iqm"),
        default="mean",
        help="of the seeds (default: %(default)s)",
    )
    interval = (
        "Student's t of the mean, or the BCa bootstrap, too narrow with few seeds: of 3 it covers 75 in 100 "
        "(default: t for the mean, else bca)"
    )
    plot.add_argument("--interval", choices=("t", "bca"), help=interval)
    plot.add_argument("--xlabel", metavar="TEXT", help="what to call x in the figure")
    plot.add_argument("--choose", metavar="NAMES", help=SEARCHED)
    plot.set_defaults(run=_plot)


def _add_report(commands: argparse._SubParsersAction) -> None:
    report = _command(
        commands,
        "report",
        "write one page over a sweep: the answer in words, figures, tables, how it was measured",
        "vision report outputs/demo --pair CNN,ViT",
    )
    report.add_argument("source", type=Path, metavar="DIR", help=SOURCE)
    report.add_argument("--out", type=Path, metavar="FILE", help="the page (default: report.html in DIR)")
    report.add_argument(
        "--pair", metavar="A,B", help="models to compare first (default: CNN,ViT, or the two that are there)"
    )
    report.add_argument("--choose", metavar="NAMES", help=SEARCHED)
    figures = "write each figure there too, as .png, .svg and .pdf"
    report.add_argument("--figures", type=Path, metavar="DIR", help=figures)
    links = "no links to the runs' folders, for a page that is sent elsewhere"
    report.add_argument("--no-links", dest="links", action="store_false", help=links)
    report.set_defaults(run=_report)


def _add_inspect(commands: argparse._SubParsersAction) -> None:
    inspect = _command(
        commands,
        "inspect",
        "look inside a model: attention distance, rollout, receptive fields, heads, positions, CKA",
        "vision inspect outputs/demo/ViT/n1200/s0 --against outputs/demo/CNN/n1200/s0",
    )
    _add_model(inspect)
    inspect.add_argument("--data", type=Path, metavar="FOLDER", help=DATA.format("look at", 64))
    inspect.add_argument("--against", metavar="NAME", help="a second model to stand beside it")
    inspect.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("outputs/inspect"), help="default: %(default)s"
    )
    inspect.set_defaults(run=_inspect)


def _add_model(command: argparse.ArgumentParser) -> None:
    name = "a model of timm's, torchvision/NAME, or the folder of a finished run"
    command.add_argument("name", metavar="NAME", help=name)
    command.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights: .safetensors, .pth or .pt")
    command.add_argument("--pretrained", action="store_true", help="the weights that its library publishes")
    command.add_argument("--input-size", type=int, metavar="N", help="side of the images in pixels")


def _add_convert(commands: argparse._SubParsersAction) -> None:
    convert = _command(
        commands,
        "convert",
        "turn a CNN into masked attention, and measure how equal the two are",
        "vision convert resnet18 --data photos --out outputs/resnet18",
    )
    _add_model(convert)
    convert.add_argument("--classes", type=int, metavar="N", help="number of the model's outputs")
    convert.add_argument("--data", type=Path, metavar="FOLDER", help=DATA.format("compare on", 8))
    heads = "one head a kernel position, or as few as the kernel's rank needs (default: %(default)s)"
    convert.add_argument("--heads", choices=("kernel", "min"), default="kernel", help=heads)
    pooling = "maximum pools as hard attention, or as a softmax (default: %(default)s)"
    convert.add_argument("--pooling", choices=("exact", "soft"), default="exact", help=pooling)
    convert.add_argument(
        "--precision", choices=("float32", "float64"), default="float32", help="of model and images"
    )
    convert.add_argument("--strict", action="store_true", help="refuse a model of which anything is left")
    convert.add_argument(
        "--out", type=Path, metavar="DIR", help="write the converted model, its figure and its table there"
    )
    convert.set_defaults(run=_convert)


def _command(
    commands: argparse._SubParsersAction, name: str, text: str, example: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=f"example: {example}"
    )


def _plot(options: argparse.Namespace) -> int:
    from vision.cli.plot import plot

    return plot(**_given(options))


def _report(options: argparse.Namespace) -> int:
    from vision.cli.show import report

    return report(**_given(options))


def _compare(options: argparse.Namespace) -> int:
    from vision.cli.show import compare

    return compare(options.source, choose=options.choose)


def _status(options: argparse.Namespace) -> int:
    from vision.cli.show import status

    return status(options.folder)


def _models(options: argparse.Namespace) -> int:
    from vision.cli.show import models

    return models(options.pattern)


def _convert(options: argparse.Namespace) -> int:
    from vision.cli.convert import convert

    return convert(**_given(options))


def _inspect(options: argparse.Namespace) -> int:
    from vision.cli.inspect import inspect

    return inspect(**_given(options))


def _given(options: argparse.Namespace) -> dict[str, Any]:
    return {key: value for key, value in vars(options).items() if key not in ("command", "run")}
