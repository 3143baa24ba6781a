"""The weights that a run starts with, as a part of its identity: their checksum.

>>> with_checksum(config).model.init_sha256  # doctest: +SKIP
'5f70bf18a086...'
"""

from dataclasses import replace
from pathlib import Path

from vision.config import RunConfig
from vision.saved_files import find_saved, known_sha256


def with_checksum(config: RunConfig, weights: Path | None = None) -> RunConfig:
    """Return the config with the checksum of the weights that its model starts with.

    Weights that are not there, such as those of a run that is still to come, leave it as it is.

    Args:
        config: of the run.
        weights: their file; None looks for model.init_from.

    Raises:
        ValueError: the weights have another checksum than model.init_sha256.
    """
    model = config.model
    if weights is None and model.init_from:
        try:
            weights = find_saved(model.init_from).weights
        except ValueError:
            return config
    if weights is None:
        return config
    found = known_sha256(weights)
    if model.init_sha256 not in (None, found):
        raise ValueError(
            f"model.init_sha256={model.init_sha256} is not the SHA-256 of the weights in {weights}, {found}"
        )
    return replace(config, model=replace(model, init_sha256=found))
