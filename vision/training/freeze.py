"""Train the classifier of a model alone, on features that stay as they are: a linear probe.

>>> import timm
>>> model = timm.create_model("resnet18", num_classes=2)
>>> with frozen_backbone(model):
...     print(sum(parameter.requires_grad for parameter in model.parameters()))
2
"""

from collections.abc import Generator
from contextlib import contextmanager

from torch import nn

from vision.config import TrainingConfig


@contextmanager
def frozen_backbone(model: nn.Module, *, enabled: bool = True) -> Generator[None]:
    """Inside the block, let no parameter outside of the model's classifier have a gradient, if `enabled`.

    Raises:
        ValueError: the model has no classifier, as timm's method get_classifier returns it.
    """
    if not enabled:
        yield
        return
    own = {id(parameter) for parameter in _classifier(model).parameters()}
    changed = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    for parameter in changed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)


def training_mode(model: nn.Module, config: TrainingConfig) -> None:
    """Set the model to training mode; a frozen backbone stays in eval mode."""
    if config.freeze_backbone:
        model.eval()
        _classifier(model).train()
    else:
        model.train()


def _classifier(model: nn.Module) -> nn.Module:
    classifier = getattr(model, "get_classifier", lambda: None)()
    if not isinstance(classifier, nn.Module) or not list(classifier.parameters()):
        raise ValueError(
            f"training.freeze_backbone=true needs a model with a classifier, got {type(model).__name__}"
        )
    return classifier
