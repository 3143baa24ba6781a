"""Every token mixer keeps shapes and dtypes, and gives gradients; also in bfloat16 and under autocast."""

from itertools import product

import pytest
import torch
from mixer_cases import CASES, GRID, Case, each_case, gradients, make, tokens
from torch import Tensor

from vision.mixers import mixer_names
from vision.patches import Grid


def test_every_mixer_is_in_the_table():
    assert {case.mixer for case in CASES} == set(mixer_names())
    assert len({str(case) for case in CASES}) == len(CASES)


@each_case
def test_shape_and_dtype_are_kept_and_everything_gets_a_gradient(case):
    dtypes = (torch.float64, torch.float32, torch.bfloat16)
    for grid, dtype in product((Grid(1, 11), Grid(3, 3), GRID), dtypes):
        mixer, x = make(case, grid, dtype=dtype), tokens(grid, dtype=dtype).requires_grad_()
        out = mixer(x)
        assert out.shape == x.shape and out.dtype == dtype and out.isfinite().all()
        out.square().sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all() and (x.grad != 0).any(-1).all()
        for name, parameter in mixer.named_parameters():
            assert parameter.dtype == dtype and parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            # A sequence of one token passes on no state.
            assert parameter.grad.any() or (1 in (grid.rows, grid.cols) and "weight_hh" in name), name


@pytest.mark.slow
@each_case
def test_gradients_are_those_of_finite_differences(case):
    grid = Grid(2, 3) if case.mixer == "recurrent" else Grid(3, 4)  # its steps are many small products
    mixer, x = make(case, grid, dim=4, dtype=torch.float64), tokens(grid, dim=4, batch=1)
    names = [name for name, _ in mixer.named_parameters()]

    def run(x: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(mixer, dict(zip(names, parameters, strict=True)), x)

    inputs = [x, *(parameter.detach() for parameter in mixer.parameters())]
    assert torch.autograd.gradcheck(run, [y.requires_grad_() for y in inputs])


@each_case
def test_device_and_dtype_reach_every_tensor(case):
    mixer = make(case, device="meta", dtype=torch.float64)
    tensors = [*mixer.parameters(), *mixer.buffers()]
    assert {y.device.type for y in tensors} <= {"meta"}
    assert {y.dtype for y in tensors if y.is_floating_point()} <= {torch.float64}


def in_groups(case: Case, grid: Grid) -> Tensor:
    """Return (2, N, DIM), float32, in groups of a graph's size: rounding changes no neighbour."""
    count = grid.size // case.options.get("neighbours", 9)
    middles = tokens(Grid(1, count), batch=1, dtype=torch.float32)[:, torch.arange(grid.size) % count]
    return middles + 0.1 * tokens(grid, dtype=torch.float32)


@each_case
def test_another_dtype_after_a_forward_leaves_no_old_tensor(case):
    grid = Grid(4, 9)
    mixer, x = make(case, grid), in_groups(case, grid)
    with torch.no_grad():
        expected = mixer(x)
        rounded = mixer.to(torch.bfloat16).state_dict()
        for dtype in (torch.bfloat16, torch.float64):
            out = mixer.to(dtype)(x.to(dtype))
            assert out.dtype == dtype
            assert not hasattr(mixer, "attention_map") or mixer.attention_map(x.to(dtype)).dtype == dtype
            torch.testing.assert_close(out.float(), expected, rtol=0, atol=0.05)
            fresh = make(case, grid, dtype=torch.bfloat16)
            fresh.load_state_dict(rounded)
            assert torch.equal(out, fresh.to(dtype)(x.to(dtype)))


@each_case
def test_autocast_gives_nearly_the_same(case):
    grid = Grid(4, 9)
    mixer, x = make(case, grid), in_groups(case, grid).requires_grad_()
    wanted = [mixer(x), *gradients(mixer, x, mixer(x))]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = mixer(x)
    got = [out.float(), *gradients(mixer, x, out)]
    for one, other in zip(got, wanted, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0, atol=0.05 * max(1.0, other.abs().max().item()))
