"""Every backend of `attend` against the reference, in float64, with gradients; empty rows; memory."""

import pytest
import torch
from attention_checks import assert_same, bias_for, bias_per_offset, qkv, with_gradients
from field_cases import BY_INDICES, BY_OFFSETS, GRID, OTHERS
from torch.utils._python_dispatch import TorchDispatchMode

from vision.attention import attend, backend_names
from vision.fields import convolution, full, kernel_positions, neighbourhood
from vision.patches import Grid

# Every field with a bias, and those that are not random also without one.
CASES = [(name, "per_offset") for name in BY_OFFSETS]
CASES += [(name, "none") for name in BY_OFFSETS if not name.startswith("scattered")]


@pytest.mark.parametrize("backend", ["dense", "gather", "shift", "native"])
@pytest.mark.parametrize(("name", "form"), CASES)
def test_backends_equal_the_reference_on_fields_by_offsets(name, backend, form):
    field = BY_OFFSETS[name]
    inputs, bias = qkv(field), bias_for(field, form)
    wanted = with_gradients(inputs, field, bias, backend="reference")
    assert_same(with_gradients(inputs, field, bias, backend=backend), wanted)


@pytest.mark.parametrize("backend", ["dense", "gather"])
@pytest.mark.parametrize(("name", "form"), CASES)
def test_backends_equal_the_reference_on_fields_by_indices(name, backend, form):
    field = BY_INDICES[f"indices, {name}"]
    inputs, bias = qkv(field), bias_for(field, form)
    wanted = with_gradients(inputs, field, bias, backend="reference")
    assert_same(with_gradients(inputs, field, bias, backend=backend), wanted)


@pytest.mark.parametrize("form", ["none", "dense"])
@pytest.mark.parametrize("name", [*OTHERS, "3x3", "padded"])
def test_dense_equals_the_reference_on_any_field(name, form):
    field = (OTHERS | BY_OFFSETS)[name]
    inputs, bias = qkv(field), bias_for(field, form)
    wanted = with_gradients(inputs, field, bias, backend="reference")
    for backend in ("dense", "auto"):
        assert_same(with_gradients(inputs, field, bias, backend=backend), wanted)


def test_a_field_per_head_equals_the_heads_one_by_one():
    fields = kernel_positions(convolution(GRID, 2, stride=2, padding=1))
    inputs = qkv(fields[0], heads=4)
    q, k, v = inputs
    wanted = [attend(q[:, [h]], k[:, [h]], v[:, [h]], fields[h], backend="reference") for h in range(4)]
    for backend in ("reference", "dense", "gather", "auto"):
        torch.testing.assert_close(
            attend(*inputs, fields, backend=backend), torch.cat(wanted, 1), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("name", [*OTHERS, *BY_OFFSETS])
def test_weights_sum_to_one_or_to_zero_and_make_the_output(name):
    field = (OTHERS | BY_OFFSETS)[name]
    q, k, v = qkv(field)
    out, weights = attend(q, k, v, field, need_weights=True)
    rows = field.mask().any(1).double().expand(2, 2, -1)
    torch.testing.assert_close(weights.sum(-1), rows, rtol=0, atol=1e-12)
    assert not weights[..., ~field.mask()].any() and not out[..., rows[0, 0] == 0, :].any()
    torch.testing.assert_close(weights @ v, attend(q, k, v, field), rtol=0, atol=1e-12)


def test_attention_works_under_vmap_and_grad_of_torch_func():
    field = neighbourhood(Grid(24, 25), 3)
    q, k, v = (x.detach() for x in qkv(field))
    bias = bias_per_offset(field).detach()
    wanted = torch.autograd.functional.jvp(
        lambda b: attend(q, k, v, field, b, backend="reference"), bias, torch.ones_like(bias)
    )[0]
    stacked = torch.func.vmap(lambda b: attend(q, k, v, field, b))(torch.stack([bias, bias]))
    torch.testing.assert_close(stacked[1], wanted, rtol=0, atol=1e-12)
    gradient = torch.func.grad(lambda b: attend(q, k, v, field, b).square().sum())(bias)
    leaf = bias.clone().requires_grad_()
    attend(q, k, v, field, leaf).square().sum().backward()
    torch.testing.assert_close(gradient, leaf.grad, rtol=0, atol=1e-11)


def test_equal_logits_average_the_neighbourhood():
    field = neighbourhood(GRID, 3)
    _, _, v = qkv(field)
    q = torch.zeros(2, 2, 30, 5, dtype=torch.float64)
    counts = field.mask().double()
    wanted = (counts / counts.sum(1, keepdim=True)) @ v
    for backend in ("dense", "shift", "native", "auto"):
        torch.testing.assert_close(attend(q, q, v, field, backend=backend), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", ["dense", "shift", "native"])
def test_large_logits_stay_finite(backend):
    q, k, v = qkv(neighbourhood(GRID, 3), dtype=torch.float32)
    got = with_gradients(((q * 1e4).detach().requires_grad_(), k, v), neighbourhood(GRID, 3), backend=backend)
    assert all(x.isfinite().all() for x in got)


@pytest.mark.parametrize("backend", ["dense", "gather", "shift", "native"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_low_precision_stays_near_the_reference(backend, dtype):
    field = neighbourhood(Grid(16, 17), 3)
    inputs = qkv(field, dim=32, value_dim=32)
    wanted = with_gradients(inputs, field, backend="reference")
    q, k, v = (x.detach().to(dtype).requires_grad_() for x in inputs)
    got = with_gradients((q, k, v), field, backend=backend)
    assert all(x.dtype == dtype for x in got)
    assert_same([x.double() for x in got], wanted, 0.1 if dtype == torch.bfloat16 else 1e-4)


class Largest(TorchDispatchMode):
    """Record the size of the largest tensor that is made inside."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for x in out if isinstance(out, (tuple, list)) else [out]:
            self.numbers = max(self.numbers, x.numel() if isinstance(x, torch.Tensor) else 0)
        return out


@pytest.mark.parametrize("backend", ["shift", "native"])
def test_memory_of_a_field_by_offsets_is_linear_in_the_tokens(backend):
    largest = []
    for side in (16, 32, 64):
        field = neighbourhood(Grid(side, side), 3)
        inputs = qkv(field, dtype=torch.float32)
        with Largest() as seen:
            with_gradients(
                inputs,
                field,
                bias_per_offset(field).float().detach().requires_grad_(),
                backend=backend,
            )
        largest.append(seen.numbers)
    assert largest[1] <= 4 * largest[0] and largest[2] <= 4 * largest[1]
    assert largest[2] < 64**4 / 100


def test_errors_name_the_argument_and_the_values_that_would_fit():
    field = neighbourhood(GRID, 3)
    q, k, v = qkv(field)
    with pytest.raises(ValueError, match=f"{', '.join(backend_names())}; got 'flash'"):
        attend(q, k, v, field, backend="flash")
    with pytest.raises(ValueError, match=r"5.*cols=5.*need 25 and 25 tokens, got 30 and 30"):
        attend(q, k, v, neighbourhood(Grid(5, 5), 3))
    with pytest.raises(ValueError, match=r"not given by offsets; backend='auto'"):
        attend(q, k, v, full(GRID), backend="shift")
    with pytest.raises(ValueError, match="it takes one field for all heads"):
        attend(q, k, v, [field, field], backend="shift")
    with pytest.raises(ValueError, match="got 1 fields, 2 heads"):
        attend(q, k, v, [field])
    with pytest.raises(ValueError, match=r"must be \(num_heads, K\), got shape \(1, 2, 30, 30\)"):
        attend(q, k, v, field, torch.zeros(1, 2, 30, 30, dtype=torch.float64), backend="shift")
    with pytest.raises(ValueError, match=r"\(num_heads, K\) = \(2, 9\), got shape=\(2, 8\)"):
        attend(q, k, v, field, torch.zeros(2, 8))
    with pytest.raises(ValueError, match="needs one field by offsets"):
        attend(q, k, v, None, torch.zeros(2, 9))
    with pytest.raises(ValueError, match=r"broadcast to \(2, 2, 30, 30\)"):
        attend(q, k, v, field, torch.zeros(1, 2, 30, 29))
    with pytest.raises(ValueError, match="share B and num_heads"):
        attend(q, k[:, :1], v, field)
    with pytest.raises(ValueError, match=r"must be \(B, num_heads, N, head_dim\)"):
        attend(q[0], k, v, field)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="runs on a CUDA device"):
            attend(q, k, v, field, backend="flex")
