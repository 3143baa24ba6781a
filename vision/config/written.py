"""The settings of a run's data, read back from what the run has written.

>>> written_data({"data.source": "digits", "data.workers": 4, "data.augment.flip": True}).num_workers
4
"""

from collections.abc import Iterable
from dataclasses import fields

from vision.config.data import AugmentConfig, DataConfig
from vision.config.dotted import nest
from vision.config.renamed import current_names
from vision.dynamic import Arguments, JsonObject


def written_data(settings: JsonObject) -> DataConfig:
    """Return the data settings among those of a run, which come by dotted name.

    Settings under old names are understood, and those that no longer exist are left out.

    Raises:
        ValueError: there is no data.source.
    """
    data: JsonObject = nest(current_names(settings)).get("data", {})
    if "source" not in data:
        raise ValueError("data.source is missing, so the data that the run was trained on are not known")
    augment = AugmentConfig(**_known(data.pop("augment", {}), AugmentConfig))
    return DataConfig(**_known(data, DataConfig), augment=augment)


def _known(settings: JsonObject, kind: type[AugmentConfig] | type[DataConfig]) -> Arguments:
    names: Iterable[str] = (field.name for field in fields(kind))
    return {name: settings[name] for name in names if settings.get(name) is not None}
