"""FlexAttention, which runs on CUDA alone, against the reference in float64, on several grids."""

import pytest
import torch
from attention_cases import inputs, run, worst

from vision import Grid, attend
from vision.fields import neighbourhood

pytestmark = pytest.mark.cuda
# FlexAttention may multiply float32 in TF32.
TOLERANCES = {torch.float32: 5e-3, torch.bfloat16: 2e-2}
CASES = [
    *((Grid(side, side), torch.bfloat16) for side in (8, 16, 32, 64)),
    *((grid, torch.bfloat16) for grid in (Grid(7, 9), Grid(1, 200))),
    *((grid, torch.float32) for grid in (Grid(16, 16), Grid(13, 13))),
]


@pytest.mark.parametrize(("grid", "dtype"), CASES, ids=str)
def test_flex_equals_the_reference(cuda, grid, dtype, difference):
    field = neighbourhood(grid, 3)
    tensors = inputs(field, dtype, batch=1)
    wanted = run([x.double() for x in tensors], None, field, "reference", cuda)
    assert worst(run(tensors, None, field, "flex", cuda), wanted, difference) < TOLERANCES[dtype]


@pytest.mark.parametrize("backend", ["shift", "flex"])
def test_memory_is_linear_in_the_tokens(cuda, backend):
    peaks = []
    for side in (32, 64):
        field = neighbourhood(Grid(side, side), 3)
        tensors = inputs(field, torch.bfloat16, batch=4)
        run(tensors, None, field, backend, cuda)  # compiles, and keeps the field's tensors
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(tensors, None, field, backend, cuda)
        peaks.append(torch.cuda.max_memory_allocated() - before)
    assert peaks[1] < 5 * peaks[0]


def test_flex_inside_a_compiled_function(cuda, difference):
    field = neighbourhood(Grid(17, 17), 3)
    tensors = inputs(field, torch.bfloat16)
    wanted = run([x.double() for x in tensors], None, field, "reference", cuda)
    leaves = [x.to(cuda).detach().requires_grad_() for x in tensors]
    out = torch.compile(lambda q, k, v: attend(q, k, v, field, backend="flex"))(*leaves)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    got = [out, *torch.autograd.grad((out.double() * direction.to(cuda)).sum(), leaves)]
    assert worst(got, wanted, difference) < TOLERANCES[torch.bfloat16]
