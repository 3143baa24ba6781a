"""A model that, while it is trained, does what the argument `how` says; tests copy this file."""

import os
import signal
import sys
from pathlib import Path

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

default_cfgs = generate_default_cfgs({"faulty": {}})


class Faulty(nn.Module):
    """A linear model (B, C, H, W) -> (B, num_classes)."""

    def __init__(self, img_size: int = 8, in_chans: int = 1, num_classes: int = 10, how: str = "works"):
        super().__init__()
        outputs = 3 if how == "three_outputs" else num_classes
        self.how, self.num_classes = how, num_classes
        self.num_features = in_chans * img_size**2
        self.head = nn.Linear(self.num_features, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, or do something else."""
        if self.training:
            FAULTS.get(self.how, lambda: None)()
        return self.head(x.flatten(1))


def fill_disk() -> None:
    """Write until nothing more fits, once a run goes on."""
    if not Path("outputs").exists():
        return
    with Path("filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


class Untold(Exception):
    """An error that cannot give a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raise_in_a_run(error: BaseException) -> None:
    """Raise an error once a run goes on."""
    if Path("outputs").exists():
        raise error


def lose_lock() -> None:
    """Give the lock of the run's attempt another token."""
    for lock in Path("outputs").rglob("loses_lock/*/*.partial-*/lock.json"):
        lock.write_text(lock.read_text().replace('"token": "', '"token": "another-'))


FAULTS = {
    "interrupts": lambda: raise_in_a_run(KeyboardInterrupt()),
    "untold": lambda: raise_in_a_run(Untold()),
    "loses_lock": lose_lock,
    "leaves": lambda: os.chdir("/"),
    "exits": lambda: os._exit(3),
    "exits_well": lambda: sys.exit(0),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "fills": fill_disk,
}


@register_model
def faulty(pretrained: bool = False, **kwargs) -> nn.Module:
    """Build the model."""
    return build_model_with_cfg(Faulty, "faulty", pretrained, **kwargs)
