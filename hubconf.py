"""Models for torch.hub: ours by their names, and trained ones by their folders or names on the Hub.

>>> torch.hub.load(".", "trained", "outputs/demo/CNN/n1200/s0", source="local")  # doctest: +SKIP
"""

import timm

from vision.models import our_models
from vision.reuse import load as trained  # noqa: F401  an entry point of torch.hub

dependencies = ["torch", "torchvision", "timm"]


def _entry_point(name: str):
    def build(pretrained: bool = False, **arguments):
        return timm.create_model(name, pretrained=pretrained, **arguments)

    build.__doc__ = f"Build {name}, see docs/models.md; `arguments` are those of its constructor."
    return build


globals().update({name: _entry_point(name) for name in our_models()})
