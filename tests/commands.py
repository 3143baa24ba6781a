"""The installed command, and settings that make a run end in a fraction of a second."""

import sys
from pathlib import Path
from typing import NamedTuple

VISION = Path(sys.executable).parent / "vision"
TINY = ["debug=tiny", "model.kwargs.params=20000", "+model.kwargs.depth=1", "training.threads=1"]
DIVERGING = ["model=vit,cnn", "train_size=60", "seed=0", "training.lr=1e30", "training.clip_grad=null"]
# A model of tests/cli/faulty.py, which does what model.kwargs.how says, in a folder with that name.
FAULTY = [
    *("debug=tiny", "training.threads=1", "train_size=20", "model=timm", "model.module=faulty"),
    *("model.name=faulty", "model.label=${model.kwargs.how}"),
]


class Done(NamedTuple):
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str
