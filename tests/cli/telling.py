"""A model that writes down in which process it is trained; tests copy this file.

The source of images writes down in which process it is read.
"""

import os
import time
from pathlib import Path

import torch
from faulty import Faulty
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from vision.config import DataConfig
from vision.data import Source, register_source
from vision.data.sources.digits import load_digits

NAMES = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "VISION_GPU_SHARE")
default_cfgs = generate_default_cfgs({"telling": {}})


def tell(file: str) -> None:
    """Write a line: the process, and what its environment says of its share of the machine."""
    with Path(file).open("a") as lines:
        print(os.getpid(), *(os.environ.get(name, "-") for name in NAMES), file=lines)


@register_source("telling")
def load_telling(config: DataConfig) -> Source:
    """Read the digits."""
    tell("read")
    return load_digits(config)


class Telling(Faulty):
    """A model that writes a line with its first step, and waits until two processes have done so."""

    told = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        if self.training and not self.told and Path("outputs").exists():  # a run, not the check before it
            self.told = True
            tell("trained")
            while len({line.split()[0] for line in Path("trained").read_text().splitlines()}) < 2:
                time.sleep(0.02)
        return super().forward(x)


@register_model
def telling(pretrained: bool = False, **kwargs) -> nn.Module:
    """Build the model."""
    return build_model_with_cfg(Telling, "telling", pretrained, **kwargs)
