"""`vision data`: what is read of a folder of images or of a data set, and pictures of each class.

vision data photos
vision data cifar10 data.root=../data
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vision.cli.output_paths import check_folder
from vision.dynamic import JsonObject

if TYPE_CHECKING:
    from vision.config import DataConfig
    from vision.data import Source

SIDE = 64  # of images of different sizes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision data`."""
    parser.epilog = "example: vision data photos data.img_size=64"
    what = "folder of images or parquet files, or a data set of conf/data"
    parser.add_argument("what", metavar="DIR_or_CONFIG", help=what)
    settings = "settings as for `vision train`, such as data.img_size=64"
    parser.add_argument("settings", nargs="*", metavar="SETTING", help=settings)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("outputs/data"),
        metavar="DIR",
        help="where to write sample images (default: %(default)s)",
    )


def data(what: str, settings: list[str], out: Path) -> int:
    """Print what is read of a data set, and write a contact sheet for each class.

    Images that cannot be read are left out and listed, and constant ones are named, unless settings say
    otherwise. Images of different sizes are resized to 64 pixels if data.img_size is not given.

    Raises:
        ValueError: a setting is wrong, or the data cannot be read.
        FileNotFoundError: there is no such folder or data set.
    """
    from vision.cli.contact_sheets import write_contact_sheets
    from vision.cli.data_tables import print_summary
    from vision.data import load_source
    from vision.data.loading import SizesDiffer
    from vision.results import folder_name

    check_folder("--out", out)
    config = compose_data(what, ["data.on_error=skip", "data.on_constant=warn", *settings])
    try:
        source = load_source(config)
    except SizesDiffer:
        source = load_source(replace(config, img_size=SIDE))
    print_summary(config.name, _summary(source))
    folder = write_contact_sheets(source, out / folder_name(config.name))
    print(f"wrote {folder}: {len(source.classes)} contact sheets, the last row of each from the test split")
    return 0


def compose_data(what: str, settings: list[str], *, argument: str = "DIR_or_CONFIG") -> "DataConfig":
    """Return the settings of a folder, or of a data set of conf/data by its name.

    Args:
        what: the folder or name.
        settings: further settings.
        argument: what messages call `what`.

    Raises:
        ValueError: a setting is wrong, or must be given.
        FileNotFoundError: there is no such folder or data set.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException

    from vision.cli.train.hydra_errors import sentence
    from vision.cli.train.old_names import accept_old_names
    from vision.cli.train.schema import conf_folder, store_schema, to_run_config
    from vision.config import check

    store_schema()
    accept_old_names()
    chosen = _chosen(Path(what), what, conf_folder(), argument)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            run = to_run_config(compose("train", [*chosen, "hydra/sweeper=basic", *settings]))
    except HydraException as error:
        raise ValueError(sentence(error)) from error
    check(run)
    return run.data


def _chosen(folder: Path, what: str, conf: Path, argument: str) -> list[str]:
    """Return the settings that choose a folder or a data set."""
    from vision.cli.train.path_arguments import quoted

    if folder.is_dir():
        is_table = any(path.suffix.lower() == ".parquet" for path in folder.rglob("*"))
        kind = "parquet" if is_table else "image_folder"
        literal = str(folder).replace("${", "\\${")  # not an interpolation
        return [f"data={kind}", f"data.root={quoted(literal)}"]
    if folder.suffix in (".yaml", ".yml") and folder.is_file():
        group = folder.absolute().parent
        return [f"hydra.searchpath=['file://{group.parent}']", f"{group.name}={folder.stem}"]
    known = sorted(path.stem for path in (conf / "data").glob("*.yaml"))
    if what not in known:
        raise FileNotFoundError(
            f"{argument} must be a folder, a .yaml file of a folder conf/data, or one of "
            f"{', '.join(known)}; got {what!r}"
        )
    return [f"data={what}"]


def _summary(source: "Source") -> JsonObject:
    """Return the summary of a data set, with statistics of all training images and near-duplicates."""
    import torch

    from vision.data import channel_statistics, summary
    from vision.data.duplicates import near_duplicates
    from vision.data.summary import MOST_NAMES

    mean, std = channel_statistics(source.train, torch.arange(len(source.train)))
    found = summary(source, mean=mean, std=std)
    if found["near_duplicates"] is None:
        pairs = near_duplicates(source.train, source.test)
        train, test = source.train, source.test
        named = [[train.name(known), test.name(asked)] for known, asked in pairs[:MOST_NAMES]]
        found["near_duplicates"] = {"count": len(pairs), "pairs": named}
    return found
