"""`vision evaluate`: what the finished runs of a sweep are worth beyond their accuracy.

vision evaluate outputs/demo --with corruptions,calibration && vision report outputs/demo
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vision import results
from vision.cli.console import print_line

if TYPE_CHECKING:
    import pandas as pd

IMAGES = 1000
# All that --with may name, and what it measures.
KINDS = {
    "corruptions": "accuracy under 15 common corruptions at severities 1 to 5",
    "shuffled_patches": "accuracy with the patches of each image in a random order",
    "translations": "accuracy and consistency under cyclic shifts",
    "occlusion": "accuracy with areas of each image hidden",
    "calibration": "expected calibration error, from the stored logits",
    "probe": "few-shot linear probe of the features",
    "kernel_share": "share of attention weights that a kernel of relative offsets explains",
    "nearest_cnn": "accuracy kept by the nearest CNN, by its kernel size",
    "transfer": "few-shot linear probe on another data set, which --transfer names",
}
DEFAULT = tuple(name for name in KINDS if name != "transfer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision evaluate`."""
    parser.epilog = "example: vision evaluate outputs/demo --with corruptions,calibration"
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of a sweep, finished or still running"
    )
    chosen = f"evaluations, joined by commas: {', '.join(KINDS)} (default: all but transfer)"
    parser.add_argument("--with", dest="chosen", metavar="NAMES", help=chosen)
    severities = "severities of the corruptions (default: 1,2,3,4,5)"
    parser.add_argument("--severities", metavar="N,N", help=severities)
    images = f"test images, stratified and the same for every run, or all (default: {IMAGES:,})"
    parser.add_argument("--images", metavar="N", default=str(IMAGES), help=images)
    transfer = "the data of transfer, such as data=digits, and further settings of it"
    parser.add_argument("--transfer", nargs="+", metavar="SETTING", help=transfer)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")


def evaluate(
    folder: Path,
    *,
    chosen: str | None,
    severities: str | None,
    images: str,
    transfer: list[str] | None,
    device: str,
) -> int:
    """Evaluate the finished runs, write the tables into DIR/evaluations, and print what they say.

    Runs that were evaluated before, with the same weights and images, are not evaluated again.

    Returns:
        0, or 1 if a run was left out.

    Raises:
        ValueError: an option is wrong, or no run can be evaluated.
        FileNotFoundError: there is no finished run.
    """
    names = evaluation_names(chosen, transfer)
    levels, most = severity_levels(severities), image_count(images)
    records, damages = results.read_sound_records(folder)
    with results.WritingEvaluations(folder):
        left_out = [f"left out: {damage}" for damage in damages]
        left_out += _evaluate(folder, names, records, levels, most, transfer or [], device)
    for line in left_out:
        print_line(line)
    _show(folder, names)
    return int(bool(left_out))


def _evaluate(
    folder: Path,
    names: list[str],
    records: "pd.DataFrame",
    severities: list[int],
    images: int | None,
    transfer: list[str],
    device: str,
) -> list[str]:
    """Evaluate the runs; returns a sentence for each run, or group of runs, that is left out."""
    from vision.cli.evaluate.runs import find_runs

    runs, sentences = find_runs(folder, records)
    if "calibration" in names:
        from vision.cli.evaluate.calibration import evaluate_calibration

        sentences += evaluate_calibration(folder, runs)
    if on_images := [name for name in names if name != "calibration"]:
        from vision.cli.evaluate.images import Options, evaluate_images

        options = Options(on_images, severities, images, transfer, device)
        sentences += evaluate_images(folder, runs, options)
    return sentences


def evaluation_names(chosen: str | None, transfer: list[str] | None) -> list[str]:
    """Return the evaluations that --with names, in the order of `KINDS`.

    Raises:
        ValueError: one does not exist, or transfer has no data, or is not asked for.
    """
    names = list(DEFAULT) if chosen is None else chosen.split(",")
    if transfer and chosen is None:
        names.append("transfer")
    if unknown := [name for name in names if name not in KINDS]:
        raise ValueError(f"--with must name some of {', '.join(KINDS)}, joined by commas, got {unknown[0]!r}")
    if "transfer" in names and not transfer:
        raise ValueError("--with transfer needs the data to transfer to, such as --transfer data=digits")
    if transfer and "transfer" not in names:
        raise ValueError(f"--transfer needs transfer among the names of --with, got {chosen}")
    return [name for name in KINDS if name in names]


def severity_levels(severities: str | None) -> list[int]:
    """Return the severities.

    Raises:
        ValueError: one is not an integer from 1 to 5.
    """
    if severities is None:
        return [1, 2, 3, 4, 5]
    levels = severities.split(",")
    if wrong := [level for level in levels if level not in ("1", "2", "3", "4", "5")]:
        raise ValueError(f"--severities must be integers from 1 to 5, joined by commas, got {wrong[0]!r}")
    return sorted({int(level) for level in levels})


def image_count(images: str) -> int | None:
    """Return the number of test images to use at most; None is all.

    Raises:
        ValueError: it is not a positive integer or all.
    """
    if images == "all":
        return None
    if not images.isdecimal() or int(images) < 1:
        raise ValueError(f"--images must be a positive integer or all, got {images!r}")
    return int(images)


def _show(folder: Path, names: list[str]) -> None:
    """Print the means and answers of each measure, and which files were written."""
    from vision.cli.console import console
    from vision.cli.evaluate.tables import measure_tables

    try:
        for measure in measure_tables(folder, names):
            if measure.table is not None:
                console().print(measure.table)
            for answer in measure.answers:
                print_line(answer)
    except ValueError as error:  # runs that differ in more than size and seeds, which need --choose
        print_line(f"not compared: {error}")
    for name in names:
        if (file := results.evaluation_file(folder, name)).exists():
            print_line(f"wrote {file}")
    print_line(f"`vision report {folder}` shows them on its page")
