"""A callback: after each validation it writes how large the weights are; it could also stop the training."""

from pathlib import Path
from typing import Any

from torch import nn


def write_weight_norm(model: nn.Module, line: dict[str, Any], folder: Path) -> None:
    """Append the step and the norm of the weights to a file next to the run's own files."""
    norm = sum(float(parameter.square().sum()) for parameter in model.parameters()) ** 0.5
    with (folder / "weight_norm.csv").open("a") as file:
        file.write(f"{line['step']},{norm}\n")
