"""Every backend against the reference in float64, outputs and gradients, on the device itself."""

import pytest
import torch
from attention_cases import FIELDS, bias_of, inputs, run, worst

from vision import Grid, attend
from vision.fields import neighbourhood

SERVES = {
    "dense": tuple(FIELDS),
    "auto": tuple(FIELDS),
    "gather": ("3x3", "5x5", "dilated", "strided", "truncated", "tiles", "empty"),
    "shift": ("3x3", "5x5", "dilated", "strided", "truncated", "empty"),
}
PAIRS = [(backend, name) for backend, names in SERVES.items() for name in names]
COMPILED = 2e-3  # inductor may sum in another order and multiply in TF32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("backend", "name"), PAIRS)
def test_backends_equal_the_reference(device, backend, name, dtype, tolerance, difference):
    field = FIELDS[name]
    for form in ("none", *(["per offset"] if field.is_linear else ["dense"])):
        tensors, bias = inputs(field, dtype), bias_of(field, form)
        bias = None if bias is None else bias.to(dtype)
        exact = [x.double() for x in tensors], None if bias is None else bias.double()
        wanted = run(*exact, field, "reference", "cpu")
        got = run(tensors, bias, field, backend, device)
        assert all(x.device.type == device.type for x in got) and got[0].dtype == dtype
        assert worst(got, wanted, difference) < tolerance[dtype], form


@pytest.mark.parametrize("name", FIELDS)
def test_the_reference_in_float64_is_the_cpus(device, name, tolerance, difference):
    field = FIELDS[name]
    tensors = [x.double() for x in inputs(field, torch.float32)]
    wanted = run(tensors, None, field, "reference", "cpu")
    assert (
        worst(run(tensors, None, field, "reference", device), wanted, difference) < tolerance[torch.float64]
    )


@pytest.mark.parametrize("backend", ["dense", "gather", "shift"])
def test_autocast_of_attention_stays_near_the_reference(device, backend, tolerance, difference):
    field = FIELDS["3x3"]
    tensors = inputs(field, torch.float32)
    wanted = run([x.double() for x in tensors], None, field, "reference", "cpu")
    with torch.autocast(device.type, dtype=torch.bfloat16):
        got = run(tensors, None, field, backend, device)
    assert worst(got, wanted, difference) < tolerance[torch.bfloat16]


@pytest.mark.parametrize("backend", ["dense", "shift", "gather"])
def test_large_logits_stay_finite(device, backend):
    field = FIELDS["3x3"]
    q, k, v = inputs(field, torch.float32)
    assert all(x.isfinite().all() for x in run([q * 1e4, k, v], None, field, backend, device))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["dense", "shift"])
def test_a_compiled_call_equals_the_reference(device, backend, difference):
    field = neighbourhood(Grid(8, 9), 3)
    tensors = inputs(field, torch.float32)
    wanted = run([x.double() for x in tensors], None, field, "reference", "cpu")
    leaves = [x.to(device).detach().requires_grad_() for x in tensors]
    out = torch.compile(lambda q, k, v: attend(q, k, v, field, backend=backend))(*leaves)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    got = [out, *torch.autograd.grad((out.double() * direction.to(device)).sum(), leaves)]
    assert worst(got, wanted, difference) < COMPILED
