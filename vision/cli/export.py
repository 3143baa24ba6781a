"""`vision export`: a trained model as one file, ONNX or torch.export, that was compared with the model.

vision export outputs/demo/CNN/n1200/s0 --format onnx
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision export`."""
    parser.epilog = "example: vision export outputs/demo/CNN/n1200/s0 --format onnx"
    parser.add_argument("run", metavar="RUN", help="a finished run's folder, local-dir:FOLDER or hf-hub:NAME")
    parser.add_argument("--format", default="onnx", help="onnx or torch (default: %(default)s)")
    out = "the file (default: model.onnx or model.pt2 in the current folder)"
    parser.add_argument("--out", type=Path, metavar="FILE", help=out)
    size = "accept images of other heights and widths, if the model does"
    parser.add_argument("--dynamic-size", action="store_true", help=size)


def export(run: str, format: str, out: Path | None, dynamic_size: bool) -> int:
    """Write a model as one file.

    Raises:
        ValueError: an option is wrong, or the file would differ from the model.
    """
    from vision.reuse import export as write
    from vision.reuse import load
    from vision.reuse.exported_file import ENDINGS, check_target

    target = out or Path(f"model{ENDINGS.get(format, '')}")
    check_target(target, format)
    try:
        written = write(load(run), target, format=format, dynamic_size=dynamic_size)
    except ModuleNotFoundError as error:
        raise ValueError(f"--format {format} needs {error.name}: pip install 'vit-vs-cnn[export]'") from error
    shapes = ", ".join("x".join(map(str, shape)) for shape in written.checked)
    difference = f"{written.difference:.0e} of its largest logit"
    print(f"wrote {written.path}; it differs from the model by {difference}, on images of {shapes}")
    return 0
