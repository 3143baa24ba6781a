"""The checks of the model's settings that need no data."""

from vision.config.model import ModelConfig


def check_model(model: ModelConfig) -> None:
    """Raise a ValueError that names a setting which contradicts another."""
    if model.init_from == "":  # of a shell variable that is not set
        raise ValueError("model.init_from must be a run or a file of weights, or null for none, got ''")
    if model.init_from and model.pretrained:
        raise ValueError(
            f"model.init_from={model.init_from} and model.pretrained=true are two sources of weights; "
            "give one"
        )
    if model.init_sha256 and not (model.init_from or model.pretrained):
        raise ValueError(f"model.init_sha256={model.init_sha256} belongs to model.init_from, which is null")
