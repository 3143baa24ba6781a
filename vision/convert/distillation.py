"""A short training of a converted model towards the original's logits, on images without labels.

>>> student, teacher = nn.Linear(3, 2), nn.Linear(3, 2)
>>> before = logit_error(student, teacher, torch.ones(4, 3))
>>> distill(student, teacher, torch.ones(4, 3), steps=50, lr=0.05)
>>> logit_error(student, teacher, torch.ones(4, 3)) < before
True
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from vision.models.modes import evaluating


def distill(
    student: nn.Module,
    teacher: nn.Module,
    images: Tensor,
    *,
    steps: int,
    lr: float = 1e-3,
    batch_size: int = 64,
    seed: int = 0,
) -> None:
    """Train a model in place towards the logits of another by their squared difference, with Adam.

    Both are in evaluation mode, so dropout is off and batch norms keep their statistics. The learning rate
    falls along a cosine to 0.

    Args:
        student: the model to train.
        teacher: a model with outputs of the same shape.
        images: (B, C, H, W).
        steps: of the optimizer.
        lr: the first learning rate.
        batch_size: images of a step, drawn again for each.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam([p for p in student.parameters() if p.requires_grad], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with evaluating(student, teacher), torch.enable_grad():
        for _ in range(steps):
            drawn = torch.randperm(len(images), generator=generator)[:batch_size]
            batch = images[drawn.to(images.device)]
            with torch.no_grad():
                wanted = teacher(batch)
            optimizer.zero_grad()
            cast(Any, nn.functional.mse_loss(student(batch), wanted)).backward()
            cast(Any, optimizer).step()
            schedule.step()


@torch.no_grad()
def logit_error(student: nn.Module, teacher: nn.Module, images: Tensor) -> float:
    """Return the mean squared difference of two models' outputs."""
    with evaluating(student, teacher):
        return float((student(images) - teacher(images)).square().mean())
