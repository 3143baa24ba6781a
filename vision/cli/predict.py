"""`vision predict`: the classes of images, by a trained model.

vision predict outputs/demo/CNN/n1200/s0 photos --top 3 --csv photos.csv
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vision.cli.console import print_line
from vision.cli.output_paths import check_file
from vision.cli.stderr import tell

if TYPE_CHECKING:
    from torch import Tensor

    from vision.reuse import Prediction, TrainedModel

BATCH = 64  # images
Row = tuple[str, int, str, float]
T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision predict`."""
    parser.epilog = "example: vision predict outputs/demo/CNN/n1200/s0 photos --top 3 --csv photos.csv"
    parser.add_argument("run", metavar="RUN", help="a finished run's folder, local-dir:FOLDER or hf-hub:NAME")
    images = "image files, or folders, which are searched recursively"
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE_or_FOLDER", help=images)
    parser.add_argument(
        "--top", type=int, default=5, metavar="N", help="number of classes to show (default: 5)"
    )
    table = "where to write a table, with one row per image and class"
    parser.add_argument("--csv", dest="table", type=Path, metavar="FILE", help=table)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (default: %(default)s)")


def predict(run: str, images: list[Path], top: int, table: Path | None, device: str) -> int:
    """Print the most likely classes of each image; images that cannot be read are named, and end it with 1.

    Raises:
        ValueError: an option is wrong, or there is no such model or image.
    """
    if top < 1:
        raise ValueError(f"--top must be at least 1, got {top}")
    if table is not None:
        _check_table(table)
    files = find_images(images)
    from vision.reuse import load

    broken, rows = 0, list[Row]()
    for file, prediction in _with_progress(_predictions(load(run, device=device), files, top), len(files)):
        if isinstance(prediction, str):
            broken += 1
            tell(f"vision predict: {prediction}")
            continue
        print_line(f"{file}: {prediction}")
        pairs = zip(prediction.names, prediction.probabilities, strict=True)
        rows += [(str(file), rank, name, share) for rank, (name, share) in enumerate(pairs, 1)]
    if table is not None:
        _write(table, rows)
        print_line(f"wrote {table}")
    return 1 if broken else 0


def _check_table(table: Path) -> None:
    from PIL import Image

    check_file("--csv", table)
    if table.suffix.lower() in Image.registered_extensions():
        raise ValueError(f"--csv must be a table, such as predictions.csv, got the name of an image: {table}")


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Return image files, and those below folders by their names' endings; hidden ones are left out.

    Raises:
        ValueError: a path does not exist, or a folder has no image.
    """
    from PIL import Image

    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path} does not exist; give image files or folders")
        found = [path] if path.is_file() else sorted(_below(path, endings))
        if not found:
            raise ValueError(f"{path} has no image in it; looked for .jpg, .png and what else Pillow reads")
        files += found
    return files


def _below(folder: Path, endings: set[str]) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in endings and path.is_file() and not hidden:
            yield path


def _predictions(
    trained: "TrainedModel", files: Sequence[Path], top: int
) -> Iterator[tuple[Path, "Prediction | str"]]:
    """Yield each file with its prediction, or with the reason why it has none."""
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        prepared, reasons = dict[Path, "Tensor"](), dict[Path, str]()
        for file in batch:
            try:
                prepared[file] = trained.prepare(next(trained.reading.read(file)))
            except ValueError as error:
                reasons[file] = str(error)
        found = dict(zip(prepared, trained.classify(list(prepared.values()), top=top), strict=True))
        yield from ((file, found[file] if file in found else reasons[file]) for file in batch)


def _with_progress(items: Iterable[T], total: int) -> Iterator[T]:
    """Yield items, with a bar on standard error where the lines go elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    errors = Console(stderr=True)
    hidden = sys.stdout.isatty() or not errors.is_terminal  # the lines themselves show the progress
    with Progress(console=errors, transient=True, redirect_stdout=False, disable=hidden) as bar:
        yield from bar.track(items, total=total, description="images")


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Names of files that are not UTF-8 keep their bytes.
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "rank", "class", "probability"))
        writer.writerows(rows)
