"""Every backend against the reference in float64, outputs and gradients, on the device itself."""

import pytest
import torch
from torch import Tensor

from vision import Grid, attend
from vision.fields import Field, full, neighbourhood, tiled, truncated

HEADS, DIM = 3, 32


def random_mask() -> Field:
    """A mask whose first row is empty."""
    allowed = torch.rand(56, 56, generator=torch.Generator().manual_seed(0)) < 0.4
    allowed[0] = False
    return Field(Grid(7, 8), Grid(7, 8), allowed=allowed)


FIELDS = {
    "3x3": neighbourhood(Grid(8, 8), 3),
    "5x5": neighbourhood(Grid(7, 9), 5),
    "dilated": neighbourhood(Grid(9, 7), 3, dilation=2),
    "strided": neighbourhood(Grid(8, 10), 3, stride=2),
    "truncated": truncated(50, 5),
    "tiles": tiled(Grid(8, 9), 3, shift=1),
    "mask": random_mask(),
    "full": full(Grid(6, 7)),
    "cross": full(Grid(3, 4), Grid(6, 7)),
    "empty": Field(Grid(4, 4), Grid(4, 4), offsets=((9, 9), (-9, -9))),
}
SERVES = {
    "dense": tuple(FIELDS),
    "auto": tuple(FIELDS),
    "gather": ("3x3", "5x5", "dilated", "strided", "truncated", "tiles", "empty"),
    "shift": ("3x3", "5x5", "dilated", "strided", "truncated", "empty"),
}
PAIRS = [(backend, name) for backend, names in SERVES.items() for name in names]
FLEX_GRIDS = [Grid(8, 8), Grid(16, 16), Grid(32, 32), Grid(64, 64), Grid(7, 9), Grid(13, 13), Grid(1, 200)]
# FlexAttention multiplies float32 in TF32 where the device has it.
FLEX = {torch.float32: 5e-3, torch.bfloat16: 2e-2}


def inputs(field: Field, dtype: torch.dtype, batch: int = 2) -> list[Tensor]:
    """q, k, v on the CPU: views of memory (B, N, H, D), as a linear map of tokens leaves them."""
    generator = torch.Generator().manual_seed(0)
    sizes = (field.queries.size, field.keys.size, field.keys.size)
    draws = [torch.randn(batch, n, HEADS, DIM, generator=generator).to(dtype) for n in sizes]
    return [x.transpose(1, 2) for x in draws]


def bias_of(field: Field, form: str) -> Tensor | None:
    if form == "none":
        return None
    shape = (
        (HEADS, field.columns) if form == "per offset" else (1, HEADS, field.queries.size, field.keys.size)
    )
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def run(
    tensors: list[Tensor], bias: Tensor | None, field: Field, backend: str, device: torch.device | str
) -> list[Tensor]:
    """Output and gradients of q, k, v and the bias."""
    leaves = [x.to(device).detach().requires_grad_() for x in (*tensors, *([] if bias is None else [bias]))]
    q, k, v, *rest = leaves
    out = attend(q, k, v, field, rest[0] if rest else None, backend=backend)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    loss = (out.double() * direction.to(out.device)).sum()
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [out, *(torch.zeros_like(x) if g is None else g for x, g in zip(leaves, gradients, strict=True))]


def worst(got: list[Tensor], wanted: list[Tensor], difference) -> float:
    return max(
        difference(one, other) if other.any() else float(one.detach().double().abs().max())
        for one, other in zip(got, wanted, strict=True)
    )


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


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("grid", FLEX_GRIDS, ids=lambda grid: f"{grid.rows}x{grid.cols}")
def test_flex_equals_the_reference_on_several_grids(cuda, grid, dtype, difference):
    field = neighbourhood(grid, 3)
    tensors = inputs(field, dtype, batch=1)
    wanted = run([x.double() for x in tensors], None, field, "reference", cuda)
    assert worst(run(tensors, None, field, "flex", cuda), wanted, difference) < FLEX[dtype]


@pytest.mark.cuda
@pytest.mark.parametrize("form", ["per offset", "dense"])
@pytest.mark.parametrize("name", ["3x3", "strided", "mask", "full"])
def test_flex_with_a_bias_equals_the_reference(cuda, name, form, difference):
    field = FIELDS[name]
    if form == "per offset" and not field.is_linear:
        pytest.skip("a bias per offset needs offsets")
    tensors, bias = inputs(field, torch.float32), bias_of(field, form)
    assert bias is not None
    wanted = run([x.double() for x in tensors], bias.double(), field, "reference", "cpu")
    assert worst(run(tensors, bias, field, "flex", cuda), wanted, difference) < FLEX[torch.float32]


@pytest.mark.cuda
def test_flex_serves_more_grids_in_one_process_than_dynamo_recompiles(cuda, difference):
    """A sweep over kernel sizes runs in one process: past dynamo's limit flex must stay right."""
    for side in range(6, 6 + torch._dynamo.config.recompile_limit + 3):
        field = neighbourhood(Grid(side, side), 3)
        tensors = inputs(field, torch.bfloat16, batch=1)
        wanted = run([x.double() for x in tensors], None, field, "reference", cuda)
        assert worst(run(tensors, None, field, "flex", cuda), wanted, difference) < FLEX[torch.bfloat16], side


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["dense", "shift", pytest.param("flex", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("side", [8, 17])
def test_a_compiled_call_equals_the_reference(device, backend, side, difference):
    if backend == "flex" and device.type != "cuda":
        pytest.skip("FlexAttention has no backward on a CPU")
    field = neighbourhood(Grid(side, side), 3)
    tensors = inputs(field, torch.float32)
    wanted = run([x.double() for x in tensors], None, field, "reference", "cpu")
    leaves = [x.to(device).detach().requires_grad_() for x in tensors]
    out = torch.compile(lambda q, k, v: attend(q, k, v, field, backend=backend))(*leaves)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    got = [out, *torch.autograd.grad((out.double() * direction.to(device)).sum(), leaves)]
    assert worst(got, wanted, difference) < FLEX[torch.float32]


@pytest.mark.cuda
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
