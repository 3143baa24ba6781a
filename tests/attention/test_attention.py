"""Every backend against the reference, in float64, with gradients; empty rows; memory; tracing."""

import warnings

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vision.attention import MultiHeadAttention, attend, backend_names, flex, gather, kernel, shift
from vision.fields import Field, convolution, full, kernel_positions, neighbourhood, truncated
from vision.patches import Grid


def masked(seed: int, queries: Grid, keys: Grid) -> Field:
    """A random mask whose first row, and whose every third key, is empty."""
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(queries.size, keys.size, generator=generator) < 0.4
    allowed[0], allowed[:, ::3] = False, False
    return Field(queries, keys, allowed=allowed)


def scattered(seed: int) -> Field:
    """Random offsets, stride and grids: far offsets that miss the grid, rows without any key."""
    generator = torch.Generator().manual_seed(seed)
    one = lambda low, high: int(torch.randint(low, high, (), generator=generator))  # noqa: E731
    offsets = {(one(-4, 5), one(-4, 5)) for _ in range(one(1, 7))}
    queries, keys = Grid(one(1, 6), one(1, 6)), Grid(one(1, 7), one(1, 7))
    return Field(queries, keys, offsets=tuple(offsets), stride=(one(1, 4), one(1, 4)))


GRID = Grid(5, 6)
BY_OFFSETS = {
    "3x3": neighbourhood(GRID, 3),
    "5x5": neighbourhood(GRID, 5),
    "dilated": neighbourhood(GRID, 3, dilation=2),
    "strided": neighbourhood(GRID, 3, stride=2),
    "padded": convolution(GRID, (2, 3), stride=(2, 1), padding=(3, 1)),
    "truncated": truncated(17, 5, dilation=2),
    "wide": neighbourhood(Grid(3, 2), 7),
    "none": Field(GRID, GRID, offsets=()),
    **{f"scattered{seed}": scattered(seed) for seed in range(8)},
}
OTHERS = {
    "full": full(GRID),
    "cross": full(Grid(2, 3), GRID),
    **{f"masked{seed}": masked(seed, Grid(3, 4), GRID) for seed in range(3)},
}


def by_indices(field: Field) -> Field:
    """The same field, its columns in another order, given by its keys one by one."""
    index, valid = field.neighbours()
    indices = torch.where(valid, index, -1).flip(1)
    return Field(field.queries, field.keys, indices=indices)


BY_INDICES = {f"indices, {name}": by_indices(field) for name, field in BY_OFFSETS.items()}
OTHERS |= {name: BY_INDICES[name] for name in ("indices, 3x3", "indices, strided")}


def qkv(
    field: Field, *, heads: int = 2, dim: int = 5, value_dim: int = 3, batch: int = 2, dtype=torch.float64
):
    generator = torch.Generator().manual_seed(0)
    shapes = (field.queries.size, dim), (field.keys.size, dim), (field.keys.size, value_dim)
    # memory (B, N, H, D), as a linear map of tokens leaves it
    draws = [torch.randn(batch, n, heads, d, generator=generator, dtype=dtype) for n, d in shapes]
    return [x.transpose(1, 2).requires_grad_() for x in draws]


def with_gradients(inputs, field, bias=None, **options):
    out = attend(*inputs, field, bias, **options)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    wanted = [*inputs] if bias is None else [*inputs, bias]
    return out, *torch.autograd.grad((out * direction.to(out.dtype)).sum(), wanted, allow_unused=True)


def assert_same(got, wanted, tolerance=1e-12):
    for one, other in zip(got, wanted, strict=True):
        other = torch.zeros_like(one) if other is None else other
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)


def bias_for(field: Field, form: str, heads: int = 2):
    generator = torch.Generator().manual_seed(4)
    sizes = {
        "per_offset": (heads, field.columns if field.is_linear else 0),
        "dense": (1, heads, field.queries.size, field.keys.size),
    }
    return (
        None
        if form == "none"
        else torch.randn(sizes[form], generator=generator, dtype=torch.float64).requires_grad_()
    )


@pytest.mark.parametrize("form", ["none", "per_offset"])
@pytest.mark.parametrize("backend", ["dense", "gather", "shift", "native", "auto"])
@pytest.mark.parametrize("name", BY_OFFSETS)
def test_backends_equal_the_reference_on_fields_by_offsets(name, backend, form):
    field = BY_OFFSETS[name]
    inputs, bias = qkv(field), bias_for(field, form)
    wanted = with_gradients(inputs, field, bias, backend="reference")
    assert_same(with_gradients(inputs, field, bias, backend=backend), wanted)


@pytest.mark.parametrize("form", ["none", "per_offset"])
@pytest.mark.parametrize("backend", ["dense", "gather", "auto"])
@pytest.mark.parametrize("name", BY_INDICES)
def test_backends_equal_the_reference_on_fields_by_indices(name, backend, form):
    field = BY_INDICES[name]
    inputs, bias = qkv(field), bias_for(field, form)
    wanted = with_gradients(inputs, field, bias, backend="reference")
    assert_same(with_gradients(inputs, field, bias, backend=backend), wanted)


@pytest.mark.parametrize("name", BY_OFFSETS)
def test_a_field_by_indices_is_the_field_by_offsets(name):
    one, other = BY_INDICES[f"indices, {name}"], BY_OFFSETS[name]
    assert torch.equal(one.mask(), other.mask())
    same = (one.reachable(), other.reachable())
    assert same == (None, None) or torch.equal(*same)


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
    wanted = [attend(*(x[:, [h]] for x in inputs), fields[h], backend="reference") for h in range(4)]
    for backend in ("reference", "dense", "gather", "auto"):
        torch.testing.assert_close(
            attend(*inputs, fields, backend=backend), torch.cat(wanted, 1), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("shape", [(3, 1), (3, 4), (1, 4)], ids=["images", "both", "heads"])
def test_keys_of_each_image_equal_the_images_one_by_one(shape):
    index = torch.randint(-1, 30, (*shape, 30, 5), generator=torch.Generator().manual_seed(2))
    index = index.sort(dim=-1).values
    repeats = index.diff(dim=-1, prepend=torch.full((*shape, 30, 1), -2)) == 0
    index = index.masked_fill(repeats, -1)
    index[0, 0, 7] = -1  # a query without any key
    inputs, bias = qkv(full(GRID), heads=4, batch=3), bias_for(neighbourhood(GRID, 3), "per_offset", heads=4)
    bias = bias[:, :5].detach().requires_grad_()
    got = gather.attention(*inputs, index.clamp(min=0), index >= 0, bias)
    keys = index.expand(3, 4, -1, -1)
    wanted = torch.stack([
        torch.cat([
            attend(*(x[b : b + 1, [h]] for x in inputs), Field(GRID, GRID, indices=keys[b, h]), bias[[h]],
                   backend="reference")[0]
            for h in range(4)
        ])
        for b in range(3)
    ])  # fmt: skip
    direction = torch.randn(got.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    leaves = [*inputs, bias]
    gradients = [torch.autograd.grad((y * direction).sum(), leaves) for y in (got, wanted)]
    assert_same([got, *gradients[0]], [wanted, *gradients[1]])


@pytest.mark.parametrize("name", [*OTHERS, *BY_OFFSETS])
def test_weights_sum_to_one_or_to_zero_and_make_the_output(name):
    field = (OTHERS | BY_OFFSETS)[name]
    q, k, v = qkv(field)
    out, weights = attend(q, k, v, field, need_weights=True)
    rows = field.mask().any(1).double().expand(2, 2, -1)
    torch.testing.assert_close(weights.sum(-1), rows, rtol=0, atol=1e-12)
    assert not weights[..., ~field.mask()].any() and not out[..., rows[0, 0] == 0, :].any()
    torch.testing.assert_close(weights @ v, attend(q, k, v, field), rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize(("dim", "value_dim"), [(16, 16), (32, 32), (64, 64), (7, 7), (32, 8)])
def test_native_in_every_width_on_several_threads(batch, dim, value_dim):
    field, threads = neighbourhood(Grid(6, 5), 3, stride=2), torch.get_num_threads()
    inputs = qkv(field, heads=3, dim=dim, value_dim=value_dim, batch=batch)
    bias = bias_for(field, "per_offset", heads=3)
    wanted = with_gradients(inputs, field, bias, backend="reference")
    try:
        torch.set_num_threads(2)
        assert_same(with_gradients(inputs, field, bias, backend="native"), wanted)
    finally:
        torch.set_num_threads(threads)


def test_native_reads_any_layout():
    field = neighbourhood(GRID, 3)
    inputs = [x.detach().contiguous().requires_grad_() for x in qkv(field)]
    expanded = [inputs[0], inputs[1][:1].expand(2, -1, -1, -1), inputs[2].mT.contiguous().mT]
    wanted = with_gradients(expanded, field, backend="reference")
    assert_same(with_gradients(expanded, field, backend="native"), wanted)


def test_a_missing_compiler_costs_speed_and_one_warning(monkeypatch):
    def missing(dtype):
        raise OSError("no C++ compiler found")

    field = neighbourhood(Grid(24, 25), 3)
    inputs = qkv(field)
    wanted = with_gradients(inputs, field, backend="reference")
    monkeypatch.setattr(kernel, "_library", missing)
    kernel.available.cache_clear()
    try:
        with pytest.warns(UserWarning, match="no C\\+\\+ compiler") as caught:
            assert_same(with_gradients(inputs, field), wanted)
            assert_same(with_gradients(inputs, field), wanted)
        assert len(caught) == 1
        with pytest.raises(ValueError, match="did not compile here"):
            attend(*inputs, field, backend="native")
    finally:
        kernel.available.cache_clear()


def test_attention_goes_through_vmap_and_grad_of_torch_func():
    field = neighbourhood(Grid(24, 25), 3)
    inputs = [x.detach() for x in qkv(field)]
    bias = bias_for(field, "per_offset").detach()
    wanted = torch.autograd.functional.jvp(
        lambda b: attend(*inputs, field, b, backend="reference"), bias, torch.ones_like(bias)
    )[0]
    stacked = torch.func.vmap(lambda b: attend(*inputs, field, b))(torch.stack([bias, bias]))
    torch.testing.assert_close(stacked[1], wanted, rtol=0, atol=1e-12)
    gradient = torch.func.grad(lambda b: attend(*inputs, field, b).square().sum())(bias)
    leaf = bias.clone().requires_grad_()
    attend(*inputs, field, leaf).square().sum().backward()
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
    got = with_gradients([(q * 1e4).detach().requires_grad_(), k, v], neighbourhood(GRID, 3), backend=backend)
    assert all(x.isfinite().all() for x in got)


@pytest.mark.parametrize("backend", ["dense", "gather", "shift", "native", "auto"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_low_precision_stays_near_the_reference(backend, dtype):
    field = neighbourhood(Grid(16, 17), 3)
    inputs = qkv(field, dim=32, value_dim=32)
    wanted = with_gradients(inputs, field, backend="reference")
    low = [x.detach().to(dtype).requires_grad_() for x in inputs]
    got = with_gradients(low, field, backend=backend)
    assert all(x.dtype == dtype for x in got)
    assert_same([x.double() for x in got], wanted, 0.1 if dtype == torch.bfloat16 else 1e-4)


class Largest(TorchDispatchMode):
    """The most numbers that any tensor made inside holds."""

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
                bias_for(field, "per_offset").float().detach().requires_grad_(),
                backend=backend,
            )
        largest.append(seen.numbers)
    assert largest[1] <= 4 * largest[0] and largest[2] <= 4 * largest[1]
    assert largest[2] < 64**4 / 100


def test_multi_head_attention_is_torchs_own():
    ours = MultiHeadAttention(12, 3, dtype=torch.float64)
    torchs = torch.nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    torchs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.proj.weight,
            "out_proj.bias": ours.proj.bias,
        }
    )
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    wanted, weights = torchs(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(ours(x), wanted, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.attention_map(x), weights, rtol=0, atol=1e-12)


def test_full_attention_sees_a_set_and_local_attention_a_grid():
    shuffled = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, 16, 8, dtype=torch.float64)
    for field, same in ((None, True), (full(Grid(4, 4)), True), (neighbourhood(Grid(4, 4), 3), False)):
        attention = MultiHeadAttention(8, 2, field=field, dtype=torch.float64)
        assert torch.allclose(attention(x[:, shuffled]), attention(x)[:, shuffled], atol=1e-12) == same


@pytest.mark.parametrize(
    "field", [full(Grid(16, 17)), neighbourhood(Grid(16, 17), 3), None], ids=["full", "local", "any"]
)
def test_a_module_survives_dtype_tracing_export_and_compile(field):
    attention = MultiHeadAttention(8, 2, field=field, relative_bias=field is not None).eval()
    x = torch.randn(2, 272, 8)
    wanted = attention(x)
    torch.testing.assert_close(torch.fx.symbolic_trace(attention)(x), wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.testing.assert_close(torch.jit.trace(attention, x)(x), wanted)
        exported = torch.export.export(attention, (x,), strict=False).module()
        torch.testing.assert_close(exported(x), wanted)
        compiled = torch.compile(attention, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), wanted)
    leaf = x.clone().requires_grad_()
    compiled(leaf).sum().backward()
    assert leaf.grad.isfinite().all()
    torch.testing.assert_close(attention(x), wanted)
    assert attention.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16


def test_errors_name_the_argument_and_what_would_be_right():
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
    with pytest.raises(ValueError, match="relative_bias needs a field"):
        MultiHeadAttention(8, 2, relative_bias=True)
    with pytest.raises(ValueError, match=r"num_heads=3; 1, 2, 4, 8 would fit"):
        MultiHeadAttention(8, 3)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="runs on a CUDA device"):
            attend(q, k, v, field, backend="flex")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="FlexAttention is tested on a CUDA device")
@pytest.mark.parametrize("form", ["none", "per_offset", "dense"])
def test_flex_equals_the_reference(form):
    field = neighbourhood(Grid(16, 16), 3)
    inputs = [
        x.detach().cuda().requires_grad_() for x in qkv(field, dim=32, value_dim=32, dtype=torch.float32)
    ]
    bias = bias_for(field, form)
    bias = None if bias is None else bias.detach().float().cuda().requires_grad_()
    got = with_gradients(inputs, field, bias, backend="flex")
    assert_same(got, with_gradients(inputs, field, bias, backend="reference"), 5e-3)


@pytest.mark.parametrize("name", [name for name, field in BY_OFFSETS.items() if field.mask().any()])
def test_the_traceable_form_of_shift_equals_the_reference(name, monkeypatch):
    field = BY_OFFSETS[name]
    inputs, bias = qkv(field), bias_for(field, "per_offset")
    wanted = with_gradients(inputs, field, bias, backend="reference")
    monkeypatch.setattr(shift, "is_traced", lambda: True)
    assert_same(with_gradients(inputs, field, bias, backend="shift"), wanted)


def test_multiply_adds_of_native_are_those_of_the_pairs_that_the_field_allows():
    from torch.utils.flop_counter import FlopCounterMode

    field = neighbourhood(GRID, 3)
    q, k, v = qkv(field)
    with FlopCounterMode(display=False) as counter:
        out = attend(q, k, v, field, backend="native")
    pairs = 2 * 2 * int(field.mask().sum())
    assert counter.get_total_flops() == 2 * pairs * (5 + 3)
    with FlopCounterMode(display=False) as counter:
        out.sum().backward()
    assert counter.get_total_flops() == 4 * pairs * (5 + 3)


@pytest.mark.parametrize("form", ["none", "per_offset", "dense"])
@pytest.mark.parametrize("name", ["3x3", "padded", "masked0"])
@pytest.mark.filterwarnings("ignore:.*flex_attention called without torch.compile.*")
def test_flex_uncompiled_equals_the_reference(name, form, monkeypatch):
    from torch.nn.attention.flex_attention import flex_attention

    field = (OTHERS | BY_OFFSETS)[name]
    if form == "per_offset" and not field.is_linear:
        pytest.skip("a bias per offset needs a field by offsets")
    inputs = [x.detach() for x in qkv(field)]
    bias = bias_for(field, form)
    bias = None if bias is None else bias.detach()
    monkeypatch.setattr(flex, "_compiled", lambda: flex_attention)
    got = flex.attention(*inputs, field, bias)
    torch.testing.assert_close(got, attend(*inputs, field, bias, backend="reference"), rtol=0, atol=1e-6)
