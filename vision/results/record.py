"""The record of a finished run: the columns of result.json with their types, units and meanings.

>>> columns()["train_seconds"]
Column(type='float', unit='s', description='Wall-clock time of training, validation on the way included.')
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, NamedTuple, get_args, get_type_hints

from vision.dynamic import Arguments, JsonObject

# 1: without record_version, classes, and labels next to the predictions. 2: with old names of settings.
# 3: without checksums.
RECORD_VERSION = 4
REQUIRED = ("label", "train_size", "seed")  # without these a record is not a row of a table
NOT_IN_TABLES = ("settings", "metrics", "files_sha256", "record_sha256")


class Column(NamedTuple):
    """Type, unit and meaning of one column; the unit is "" where there is none."""

    type: str
    unit: str
    description: str


class _Doc(NamedTuple):
    description: str
    unit: str = ""


@dataclass(kw_only=True, slots=True)
class Record:
    """What result.json holds, in this order."""

    record_version: Annotated[int, _Doc("Version of this list of columns.")] = RECORD_VERSION
    status: Annotated[str, _Doc('Always "finished"; a failed run has a failure.json instead.')] = "finished"
    data: Annotated[str, _Doc("Name of the data set (data.name).")]
    model: Annotated[str, _Doc("Name of the model in timm's registry (model.name).")]
    label: Annotated[str, _Doc("Name of the model in folders, tables and figures (model.label).")]
    train_size: Annotated[int, _Doc("Images of the training subset.", "images")]
    seed: Annotated[int, _Doc("Seed of initial weights, batches and augmentation.")]
    subset_seed: Annotated[int, _Doc("Seed of the training subset and of the validation split.")]
    test_accuracy: Annotated[float, _Doc("Accuracy on the test images.", "fraction")]
    test_loss: Annotated[float, _Doc("Mean cross-entropy on the test images.", "nats")]
    train_accuracy: Annotated[
        float, _Doc("Accuracy on the first 10,000 training images, without augmentation.", "fraction")
    ]
    train_loss: Annotated[float, _Doc("Mean cross-entropy on the same training images.", "nats")]
    late_loss_fall: Annotated[
        float | None,
        _Doc(
            "Share of the training loss's fall that came in the last fifth of the steps; null if unknown.",
            "fraction",
        ),
    ] = None
    val_loss: Annotated[
        float | None, _Doc("Mean cross-entropy on the validation images; null without any.", "nats")
    ]
    val_accuracy: Annotated[
        float | None, _Doc("Accuracy on the validation images; null without any.", "fraction")
    ]
    metrics: Annotated[
        dict[str, float],
        _Doc("Own metrics on the test images (training.metrics), by name; in tables as metric.NAME."),
    ] = field(default_factory=dict[str, float])
    classes: Annotated[list[str], _Doc("Names of the classes, in the order of the labels.")]
    data_summary: Annotated[
        JsonObject,
        _Doc("What was read: images by class, sizes, modes, what was skipped, near-duplicates."),
    ]
    n_test: Annotated[int, _Doc("Test images that were scored.", "images")]
    n_train: Annotated[int, _Doc("Images that the weights were fitted to.", "images")]
    n_val: Annotated[int, _Doc("Validation images; data.val_from names where they come from.", "images")]
    steps: Annotated[int, _Doc("Optimizer steps.", "steps")]
    batch_parts: Annotated[
        int, _Doc("Parts of a batch at the last step; more than set if memory ran out.", "parts")
    ] = 1
    continued_after: Annotated[
        list[int], _Doc("Steps after which the run was cut and then continued; mostly empty.", "steps")
    ]
    train_seconds: Annotated[float, _Doc("Wall-clock time of training, validation on the way included.", "s")]
    params: Annotated[int, _Doc("Trainable parameters.", "parameters")]
    macs: Annotated[int, _Doc("Multiply-adds of the forward pass.", "multiply-adds per image")]
    model_arguments: Annotated[Arguments, _Doc("Arguments of the model's constructor.")]
    settings: Annotated[
        JsonObject, _Doc("Settings that identify the run, by dotted name; in tables one column each.")
    ]
    device: Annotated[str, _Doc("Name of the GPU or CPU that trained the model.")]
    precision: Annotated[str, _Doc("dtype of autocast: float32 or bfloat16.")]
    cuda_graph: Annotated[
        str, _Doc('"captured" if training replayed one CUDA graph for each step, otherwise why not.')
    ]
    threads: Annotated[int, _Doc("CPU threads of torch, in each process.", "threads")]
    processes: Annotated[int, _Doc("Processes that trained the model together.", "processes")] = 1
    subset_sha256: Annotated[str, _Doc("SHA-256 of the training subset's indices.")]
    data_fingerprint: Annotated[
        str, _Doc("What was hashed of all images and labels, contents or sizes, and the SHA-256.")
    ] = ""
    config_sha256: Annotated[str, _Doc("SHA-256 of `settings`.")]
    started: Annotated[str, _Doc("Start of the run, in UTC, as ISO 8601.")]
    finished: Annotated[str, _Doc("End of the run, in UTC, as ISO 8601.")]
    host: Annotated[str, _Doc("Name of the machine.")]
    python: Annotated[str, _Doc("Version of Python.")]
    versions: Annotated[dict[str, str], _Doc("Versions of the main packages, by name.")]
    commit: Annotated[
        str | None, _Doc('Commit of the code; "+changes" is appended if files differed from it.')
    ]
    files_sha256: Annotated[dict[str, str], _Doc("SHA-256 of each file next to the record, by name.")] = (
        field(default_factory=dict[str, str])
    )
    record_sha256: Annotated[str, _Doc("SHA-256 of everything else in the record.")] = ""

    def to_json(self) -> JsonObject:
        """Return the record as a dictionary that JSON can hold."""
        return {column.name: getattr(self, column.name) for column in fields(self)}


def columns() -> dict[str, Column]:
    """Return the columns of a record by name, in order.

    Tables made from several records (`vision.results.collect`) have no checksums, and more columns. They are
    `folder`, each of the `settings` under its dotted name, such as `training.lr`, and each of the `metrics`,
    such as `metric.f1`.
    """
    hints = get_type_hints(Record, include_extras=True)
    return {column.name: _column(*get_args(hints[column.name])) for column in fields(Record)}


def table_row(record: JsonObject) -> JsonObject:
    """Return a record of any version as one row of a table.

    Each setting becomes a column under its dotted name, and each own metric one as metric.NAME. Settings with
    several values, such as data.mean, become text, as they are in a CSV file.
    """
    row = {name: value for name, value in record.items() if name not in NOT_IN_TABLES}
    settings: JsonObject = record.get("settings") or {}
    # Settings without a dot (train_size, seed) are columns of the record itself.
    dotted = {name: value for name, value in settings.items() if "." in name}
    metrics: dict[str, float] = record.get("metrics") or {}
    row |= {f"metric.{name}": value for name, value in metrics.items()}
    return row | {name: f"{v}" if isinstance(v, (list, dict)) else v for name, v in dotted.items()}


def check_version(source: Path, version: float) -> None:
    """Refuse a record of a later version than this package can read.

    Raises:
        ValueError: `version` is above `RECORD_VERSION`; the message names `source`.
    """
    if version > RECORD_VERSION:
        raise ValueError(
            f"{source} is a record of version {version:g}, and this vit-vs-cnn reads those up to "
            f"{RECORD_VERSION}; update it, or leave these runs out"
        )


def _column(kind: object, doc: _Doc) -> Column:
    name = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    return Column(name.replace("typing.", ""), doc.unit, doc.description)
