"""FlexAttention with a bias that has a gradient, and over many grids in one process."""

import pytest
import torch
from attention_cases import FIELDS, bias_of, inputs, run, worst

from vision import Grid
from vision.fields import neighbourhood

pytestmark = pytest.mark.cuda
CASES = [
    ("3x3", "per offset"),
    ("strided", "per offset"),
    ("3x3", "dense"),
    ("mask", "dense"),
    ("full", "dense"),
]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_flex_with_a_bias_equals_the_reference(cuda, name, form, difference):
    field = FIELDS[name]
    tensors, bias = inputs(field, torch.float32), bias_of(field, form)
    assert bias is not None
    wanted = run([x.double() for x in tensors], bias.double(), field, "reference", "cpu")
    assert worst(run(tensors, bias, field, "flex", cuda), wanted, difference) < 5e-3


def test_flex_serves_more_grids_in_one_process_than_dynamo_recompiles(cuda, difference):
    """A sweep over kernel sizes runs in one process: past dynamo's limit flex must stay right."""
    from torch._dynamo import config

    for side in range(6, 6 + config.recompile_limit + 3):
        field = neighbourhood(Grid(side, side), 3)
        tensors = inputs(field, torch.bfloat16, batch=1)
        wanted = run([x.double() for x in tensors], None, field, "reference", cuda)
        assert worst(run(tensors, None, field, "flex", cuda), wanted, difference) < 2e-2, side
