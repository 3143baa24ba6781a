"""Weights from positions, shared by the images of a batch."""

import torch
from mixer_checks import GRID, WIDE

from vision.fields import full, neighbourhood
from vision.mixers.position_attention import attend_by_position
from vision.positions import RelativeBias


def test_one_softmax_for_the_batch_is_one_for_each_image():
    v = torch.randn(3, 4, 42, 2, **WIDE)
    for field in (full(GRID), neighbourhood(GRID, 3)):
        scores = RelativeBias(field, 4, **WIDE)()
        one_by_one = torch.cat([attend_by_position(image, scores, field) for image in v.split(1)])
        torch.testing.assert_close(attend_by_position(v, scores, field), one_by_one, rtol=0, atol=1e-14)
