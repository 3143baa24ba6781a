"""`vision inspect`: what a model has learned to look at, in one table and several figures.

vision inspect outputs/demo/ViT/n1200/s0 --against outputs/demo/CNN/n1200/s0
"""

import argparse
from pathlib import Path

from vision.cli.model_arguments import ModelChoice, add_images, add_model, check_input_size
from vision.cli.output_paths import check_folder

MOST_IMAGES = 64  # CKA compares all of them
PIPED_WIDTH = 120  # characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision inspect`."""
    parser.epilog = "example: vision inspect outputs/demo/ViT/n1200/s0 --against outputs/demo/CNN/n1200/s0"
    add_model(parser)
    add_images(parser, "look at", MOST_IMAGES, default="the test images of a run, or noise")
    against = "a second model to show next to the first, and to compare by CKA"
    parser.add_argument("--against", metavar="NAME", help=against)
    out = "where to write the figures (default: %(default)s)"
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("outputs/inspect"), help=out)


def inspect(
    name: str,
    *,
    checkpoint: Path | None,
    pretrained: bool,
    input_size: int | None,
    data: Path | None,
    against: str | None,
    out: Path,
) -> int:
    """Print how far and how convolutionally the model `name` attends, and write every figure that it has.

    A CNN is inspected as attention. With `against`, a second model is shown next to it in the distances, and
    its layers are compared by CKA.

    Raises:
        ValueError: an option is wrong, or the models do not take the same images.
        FileNotFoundError: a file or folder that an option names does not exist.
    """
    check_input_size(input_size)
    check_folder("--out", out)
    from vision.cli.console import console
    from vision.cli.inspect.figures import write_figures
    from vision.cli.inspect.models import read_inputs
    from vision.cli.inspect.tables import attention_distances, distance_table, kernel_shares, share_table

    model = ModelChoice(name, checkpoint, pretrained, input_size)
    inputs = read_inputs(model, data=data, most=MOST_IMAGES, against=against)
    distances = attention_distances(inputs)
    tables = [distance_table(str(model), rows) for model, rows in distances.groupby("model", sort=False)]
    shares = kernel_shares(inputs)
    if shares is not None:
        tables.append(share_table(next(iter(inputs.models)), shares))
    lines = [*inputs.weights, f"{len(inputs.images)} images of {inputs.description}"]
    console(piped_width=PIPED_WIDTH).print(*tables, "\n".join(lines), soft_wrap=True)
    write_figures(inputs, distances, shares, out)
    return 0
