"""Columns of tables from elsewhere that are neither columns of a record nor settings with a dotted name.

>>> table = pd.DataFrame({"label": "CNN", "train_size": 100, "seed": [0, 0], "optimizer": ["sgd", "adam"]})
>>> unknown_settings(table)
['optimizer']
"""

import pandas as pd

POINT = ("data", "label", "train_size")
RUN = ("seed", "subset_seed")
SETTINGS = ("data.", "model.", "training.")
OWN_METRICS = "metric."
OF_RECORDS = "config_sha256"  # runs of this suite have all their settings under dotted names
# Columns of tables from elsewhere that are known not to be settings.
KNOWN = (
    *("model", "folder", "n_test", "n_train", "n_val", "steps", "train_seconds", "params", "macs"),
    *("subset_sha256", "data_fingerprint", "device", "host", "started", "finished", "commit", "versions"),
)
RESULTS = ("accuracy", "loss", "error", "seconds")  # how names of results end
INDICES = ("Unnamed:",)  # how pandas names a column without a name


def unknown_settings(records: pd.DataFrame) -> list[str]:
    """Return unknown columns that vary at one model and size as a setting does.

    A setting has values that several runs of a point share, while others differ. Or it differs between runs
    with the same seed. A column whose values all differ may be a result. A number that follows from the seed
    may be that of a fold. Those are not taken for settings; `unused_columns` names them.
    """
    return [name for name in _varying(records) if _varies_like_a_setting(records, name)]


def unused_columns(records: pd.DataFrame) -> list[str]:
    """Return unknown columns that vary at one model and size, but not as a setting does."""
    return [name for name in _varying(records) if not _varies_like_a_setting(records, name)]


def _varying(records: pd.DataFrame) -> list[str]:
    """Return the unknown columns that vary at some model and size."""
    keys = [name for name in POINT if name in records]
    if not {"label", "train_size"} <= set(keys) or OF_RECORDS in records:
        return []
    names = [str(name) for name in records if _is_unknown(str(name))]
    if not names:
        return []
    texts = records[names].map(str)
    counts = texts.groupby([records[name] for name in keys], dropna=False).nunique()
    return [name for name in names if bool((counts[name] > 1).any())]


def _is_unknown(name: str) -> bool:
    if name in (*POINT, *RUN, *KNOWN) or name.endswith(RESULTS):
        return False
    return not name.startswith((*SETTINGS, OWN_METRICS, *INDICES))


def _varies_like_a_setting(records: pd.DataFrame, name: str) -> bool:
    values = records[name].map(str)
    point, seeds = ([records[key] for key in keys if key in records] for keys in (POINT, RUN))
    if bool((values.groupby([*point, *seeds], dropna=False).nunique() > 1).any()):
        return True
    groups = values.groupby(point, dropna=False)
    is_shared = (groups.nunique() > 1) & (groups.nunique() < groups.size())
    if not bool(is_shared.any()):
        return False
    follows_from_seed = bool(seeds) and bool((values.groupby(seeds, dropna=False).nunique() == 1).all())
    return not (follows_from_seed and pd.api.types.is_integer_dtype(records[name]))
