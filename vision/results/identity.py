"""Which run a config is: its folder, the settings that identify it, and whether it is finished or failed.

>>> run_folder(config)  # doctest: +SKIP
PosixPath('outputs/runs/ViT/n500/s0')
"""

import hashlib
import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from vision.config import RunConfig, current_names, flatten
from vision.dynamic import JsonObject
from vision.results.checksums import read_result
from vision.results.failure import read_failure
from vision.results.files import CONFIG, FAILURE, RESULT

# Two runs that differ only in these settings are the same run: they decide where, how fast, and what is kept.
NON_IDENTIFYING = (
    "output_dir",
    "sweep",
    "retry_failed",
    "save_logits",
    "data.download",
    "data.num_workers",
    "data.max_memory_fraction",
    "data.on_constant",
    "data.allow_outside_root",
    "training.threads",
    "training.loggers",
    "training.checkpoint_minutes",
    "training.log_inside",
    "training.cuda_graph",
    "training.memory_format",
)
# Settings that runs of earlier versions did not have, with the value at which they change nothing. At that
# value they are left out, so that a run of an earlier version is the same run.
UNUSED: JsonObject = {
    "data.options": {},
    "data.channels": "auto",
    "data.background": "white",
    "data.on_error": "raise",
    "data.fit_sizes": [],
    "data.val_from": "subset",
    "model.init_sha256": None,
    "model.pretrained": False,
    "training.min_steps": None,
    "data.augment.policy": None,
    "data.augment.policy_options": {},
    "training.accumulation_steps": 1,
    "training.out_of_memory": "fail",
    "training.optimizer": "adamw",
    "training.momentum": None,
    "training.optimizer_options": {},
    "training.layer_decay": None,
    "training.schedule": "cosine",
    "training.schedule_options": {},
    "training.patience": None,
    "training.freeze_backbone": False,
    "training.metrics": [],
    "training.callbacks": [],
}


# Of the weights that a run starts with. Runs of earlier versions did not record it, and it is not known while
# the weights are not there.
CHECKSUM = "model.init_sha256"


class ConfigMismatch(ValueError):
    """A folder holds a finished run of another config."""


def run_folder(config: RunConfig) -> Path:
    """Return the folder of a run: OUTPUT_DIR/SWEEP/LABEL/nTRAIN_SIZE/sSEED.

    Characters of the label that do not suit a folder become dashes.
    """
    label = folder_name(config.model.label or config.model.name)
    return Path(config.output_dir) / config.sweep / label / f"n{config.train_size}" / f"s{config.seed}"


def folder_name(name: str) -> str:
    """Return a name with dashes in the place of characters that do not suit a folder."""
    return re.sub(r"[^\w.+-]+|^\.+", "-", name)


def settings(config: RunConfig) -> JsonObject:
    """Return the settings that identify a run, by dotted name."""
    return _identifying(dict(flatten(_as_dictionary(config))))


def fingerprint(config: RunConfig) -> str:
    """Return the SHA-256 of `settings`."""
    return hashlib.sha256(json.dumps(settings(config), sort_keys=True).encode()).hexdigest()


def load_finished(folder: Path, config: RunConfig) -> JsonObject | None:
    """Return the record of the run in `folder`, or None if there is no finished one.

    A run of an earlier version, with old names of settings, counts as the same run.

    Raises:
        ConfigMismatch: the finished run there has another config; the message lists the differences.
        ValueError: the record there is damaged.
    """
    if not (folder / RESULT).exists():
        return None
    result = read_result(folder)
    same = result.get("config_sha256") == fingerprint(config)
    if not same and not _are_same(current_names(result.get("settings") or {}), settings(config)):
        raise ConfigMismatch(
            f"{folder} holds a finished run of another config:\n{_differences(folder, config)}\n"
            "Nothing was changed. Use another folder, for example with sweep=NAME"
        )
    return result


def load_failed(folder: Path, config: RunConfig) -> JsonObject | None:
    """Return the record of the failed run in `folder`; None if there is none, or one of another config."""
    if not (folder / FAILURE).exists():
        return None
    try:
        same = _are_same(_written_settings(folder), settings(config))
        return read_failure(folder) if same else None
    except (ValueError, OSError):  # the record is damaged, so another try is allowed
        return None


def _are_same(one: JsonObject, other: JsonObject) -> bool:
    """Compare settings; the checksum of the first weights counts where both have it."""
    known = CHECKSUM in one and CHECKSUM in other
    left = [{key: value for key, value in each.items() if known or key != CHECKSUM} for each in (one, other)]
    return left[0] == left[1]


def _written_settings(folder: Path) -> JsonObject:
    """Return the settings that identify the run in `folder`, from its config.yaml.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        written = yaml.safe_load((folder / CONFIG).read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{folder / CONFIG} is not valid YAML: {error}") from error
    if not isinstance(written, dict):
        raise ValueError(f"{folder / CONFIG} must hold settings, got {written!r:.60}")
    return _identifying(current_names(dict(flatten(cast(JsonObject, written)))))


def _differences(folder: Path, config: RunConfig) -> str:
    """List the settings in which the run in `folder` differs from `config`, one per line."""
    finished, requested = _written_settings(folder), settings(config)
    none = "(none)"
    return "\n".join(
        f"  {name}: {finished.get(name, none)!r} there, {requested.get(name, none)!r} requested"
        for name in sorted(finished.keys() | requested.keys())
        if finished.get(name, none) != requested.get(name, none)
    )


def _as_dictionary(config: Any) -> JsonObject:
    """Return nested dataclasses as dictionaries, as `asdict`, which also copies each value."""
    values = ((field.name, getattr(config, field.name)) for field in fields(config))
    return {name: _as_dictionary(value) if is_dataclass(value) else value for name, value in values}


def _identifying(flat: JsonObject) -> JsonObject:
    added = {name for name, unused in UNUSED.items() if flat.get(name) == unused}
    return {name: value for name, value in flat.items() if name not in added.union(NON_IDENTIFYING)}
