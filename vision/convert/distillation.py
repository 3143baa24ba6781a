"""A short training of a converted model towards the original's logits, on images without labels.

>>> student, teacher = nn.Linear(3, 2), nn.Linear(3, 2)
>>> before, after = distill(student, teacher, torch.ones(4, 3), steps=50, lr=0.05)
>>> after < before
True
"""

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn

from vision.models.modes import evaluating

BATCH = 64


def distill(
    student: nn.Module,
    teacher: nn.Module,
    images: Tensor,
    *,
    steps: int,
    lr: float = 1e-3,
    batch_size: int = BATCH,
    seed: int = 0,
) -> tuple[float, float]:
    """Train a model in place towards the logits of another by their squared difference, with Adam.

    Both are in evaluation mode, so dropout is off and batch norms keep their statistics. The learning rate
    falls along a cosine to 0. A few steps may make a close model worse: it then keeps its first weights.

    Args:
        student: the model to train.
        teacher: a model with outputs of the same shape.
        images: (B, C, H, W).
        steps: of the optimizer.
        lr: the first learning rate.
        batch_size: images of a step, drawn again for each.
        seed: of the draws.

    Returns:
        The `logit_error` before and after.
    """
    before, start = logit_error(student, teacher, images), copy.deepcopy(student.state_dict())
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
    after = logit_error(student, teacher, images)
    if after < before:
        return before, after
    student.load_state_dict(start)
    return before, before


@torch.no_grad()
def logit_error(student: nn.Module, teacher: nn.Module, images: Tensor) -> float:
    """Return the mean squared difference of two models' outputs."""
    with evaluating(student, teacher):
        squares = [(student(part) - teacher(part)).square() for part in torch.split(images, BATCH)]
        return float(torch.cat(squares).mean())
