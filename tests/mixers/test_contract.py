"""The contract of token mixers: a table of cases, and checks of every case.

Shapes and dtype, gradients, what lies beyond the border, any grid, bfloat16, tracing, exporting, compiling,
and a name in timm's registry and in conf/model. A new mixer gets its lines in CASES; what is true of one
alone is in the file of that mixer, such as mixers/test_pooling.py.
"""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from small_models import build
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, pad

from vision.attention import MultiHeadAttention
from vision.cli.schema import conf_folder, store_schema
from vision.fields import Field, tiled
from vision.mixers import create_mixer, mixer_names
from vision.models import our_models
from vision.patches import Grid

DIM = 8
GRID = Grid(6, 7)
GRIDS = [Grid(1, 11), Grid(11, 1), Grid(4, 9), Grid(3, 3), GRID]
each_grid = pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.rows}x{grid.cols}")


# Which tokens each output reads, computed without the package's fields


Reads = Callable[[Grid, Tensor], Tensor]  # x (1, N, C) -> bool (N_query, N_key)


def everything(grid: Grid, x: Tensor) -> Tensor:
    return torch.ones(grid.size, grid.size, dtype=torch.bool)


def itself(grid: Grid, x: Tensor) -> Tensor:
    return torch.eye(grid.size, dtype=torch.bool)


def square(kernel_size: int | tuple[int, int], dilation: int = 1, causal: bool = False) -> Reads:
    def reads(grid: Grid, x: Tensor) -> Tensor:
        sizes = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        near = everything(grid, x)
        for away, size in zip(steps(grid), sizes, strict=True):
            near &= (away.abs() <= dilation * (size // 2)) & (away % dilation == 0)
        return near.tril() if causal else near

    return reads


def line(window: int, dilation: int = 1, causal: bool = False) -> Reads:
    def reads(grid: Grid, x: Tensor) -> Tensor:
        return square((1, window), dilation, causal)(Grid(1, grid.size), x)

    return reads


def tile(window: int, shift: int = 0) -> Reads:
    def reads(grid: Grid, x: Tensor) -> Tensor:
        same = everything(grid, x)
        for position, side in zip(grid.coordinates().unbind(1), (grid.rows, grid.cols), strict=True):
            if window < side:
                number = (position - shift) // window
                same &= number[:, None] == number
        return same

    return reads


def nearest(count: int) -> Reads:
    def reads(grid: Grid, x: Tensor) -> Tensor:
        cosine = cosine_similarity(x[0, :, None], x[0], dim=-1)
        return itself(grid, x).scatter(1, cosine.topk(count).indices, True)

    return reads


def the_one_before(grid: Grid, x: Tensor) -> Tensor:
    return itself(grid, x) | itself(grid, x).roll(-1, dims=1)


def ring(grid: Grid) -> Tensor:
    """Return edges (2, N): from each token to the next, and from the last to the first."""
    return torch.stack((torch.arange(grid.size), (torch.arange(grid.size) + 1) % grid.size))


def shifted_tiles(grid: Grid) -> Field:
    return tiled(grid, 3, shift=1)


def steps(grid: Grid) -> tuple[Tensor, ...]:
    """Return the rows and columns from query to key, (N, N) each."""
    positions = grid.coordinates()
    return (positions[None] - positions[:, None]).unbind(-1)


# The table


class Case(NamedTuple):
    """A mixer with options (a function among them is called with the grid), and what is true of it.

    Attributes:
        reads: the tokens that each output depends on.
        border: what a token beyond it is: left out of an average, or zero; None where the mixer has no such
            thing (identity) or one that a test of its own follows, token by token (recurrent).
    """

    mixer: str
    options: dict[str, Any]
    reads: Reads
    border: str | None = "left out"

    def __str__(self) -> str:
        return ", ".join((self.mixer, *(f"{k}={getattr(v, '__name__', v)}" for k, v in self.options.items())))


CASES = [
    Case("self_attention", {}, everything),
    Case("self_attention", {"relative_bias": True}, everything),
    Case("self_attention", {"quadratic_bias": True}, everything),
    Case("self_attention", {"rotary": True, "head_dim": 4}, everything),
    Case("self_attention", {"field": shifted_tiles}, tile(3, 1)),
    Case("local_attention", {}, square(3)),
    Case("local_attention", {"kernel_size": 3, "rotary": True, "head_dim": 4}, square(3)),
    Case("local_attention", {"relative_bias": True, "quadratic_bias": True}, square(3)),
    Case("local_attention", {"kernel_size": 3, "dilation": 2, "relative_bias": True}, square(3, 2)),
    Case("local_attention", {"kernel_size": 3, "causal": True}, square(3, causal=True)),
    Case(
        "local_attention",
        {"kernel_size": 5, "dilation": 2, "causal": True, "relative_bias": True},
        square(5, 2, causal=True),
    ),
    Case("truncated_attention", {}, line(9)),
    Case("truncated_attention", {"window": 9, "relative_bias": True}, line(9)),
    Case("truncated_attention", {"window": 3, "causal": True, "relative_bias": True}, line(3, causal=True)),
    Case("truncated_attention", {"window": 5, "dilation": 4, "causal": True}, line(5, 4, causal=True)),
    Case("window_attention", {}, tile(4)),
    Case("window_attention", {"window": 3, "shift": 1, "relative_bias": True}, tile(3, 1)),
    Case("gated_attention", {}, everything),
    Case("gated_attention", {"kernel_size": 3}, square(3)),
    Case("quadratic_attention", {}, everything),
    Case("quadratic_attention", {"kernel_size": 5}, square(5)),
    Case("static_attention", {}, everything),
    Case("static_attention", {"shared": True}, everything),
    Case("static_attention", {"kernel_size": 3}, square(3)),
    Case("static_attention", {"kernel_size": 3, "shared": True}, square(3)),
    Case("static_attention", {"field": shifted_tiles}, tile(3, 1)),
    Case("conv_attention", {}, square(3), "zero"),
    Case("conv_attention", {"explicit": True}, square(3), "zero"),
    Case("conv_attention", {"explicit": True, "depthwise": True}, square(3), "zero"),
    Case("conv_attention", {"explicit": True, "dilation": 2}, square(3, 2), "zero"),
    Case("convolution", {}, square(3), "zero"),
    Case("convolution", {"kernel_size": (3, 5), "bias": False}, square((3, 5)), "zero"),
    Case("convolution", {"depthwise": True}, square(3), "zero"),
    Case("convolution", {"dilation": 2}, square(3, 2), "zero"),
    Case("graph_attention", {}, square(3)),
    Case("graph_attention", {"edges": ring}, the_one_before),
    # A small step leaves the graph of nearest tokens as it is: finite differences are taken inside one graph.
    Case("graph_attention", {"edges": "knn"}, nearest(9)),
    Case("graph_attention", {"edges": "knn", "neighbours": 4, "backend": "gather"}, nearest(4)),
    Case("recurrent", {}, everything, None),
    Case("recurrent", {"kind": "gru"}, everything, None),
    Case("recurrent", {"order": "sequence"}, everything, None),
    Case("recurrent", {"kind": "gru", "order": "sequence", "hidden": 3}, everything, None),
    Case("pooling", {}, square(3)),
    Case("pooling", {"kernel_size": 5, "subtract": False}, square(5)),
    Case("identity", {}, itself, None),
]
each_case = pytest.mark.parametrize("case", CASES, ids=str)
OTHER_PATHS = {
    *("relative_bias", "rotary", "quadratic_bias", "explicit", "edges", "backend", "order"),
    *("field", "shift", "kind"),
}


def paths(case: Case) -> set[object]:
    """Return what decides which code a case reaches while it is traced: mixer, options, kind of field."""
    full = case.reads is everything
    options = {
        (k, v if isinstance(v, str) else "", full) for k, v in case.options.items() if k in OTHER_PATHS
    }
    return {(case.mixer, full), *options}


# The cases that reach code which none before them reaches.
TRACED = [case for i, case in enumerate(CASES) if paths(case) - set[object]().union(*map(paths, CASES[:i]))]
# The fast suite traces one mixer of each kind: content weights, position weights, a graph, a convolution.
QUICK_MIXERS = ("self_attention", "static_attention", "graph_attention", "conv_attention")
QUICK = [case for case in TRACED if not case.options and case.mixer in QUICK_MIXERS]
each_traced = pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case in QUICK else pytest.mark.slow) for case in TRACED],
    ids=str,
)


def make(case: Case, grid: Grid = GRID, dim: int = DIM, **dd: Any) -> Any:
    """Return the mixer of a case, without a type, so that tests may read its parts."""
    torch.manual_seed(0)
    options = {name: value(grid) if callable(value) else value for name, value in case.options.items()}
    mixer = create_mixer(case.mixer, dim, grid, **options, **dd)
    for name, parameter in mixer.named_parameters():
        if name.endswith("table"):  # as if trained: near 0 a mistake in it would not show
            nn.init.normal_(parameter)
    return mixer


def tokens(grid: Grid = GRID, dim: int = DIM, batch: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, grid.size, dim, generator=generator, dtype=torch.float64).to(dtype)


def images(x: Tensor, grid: Grid) -> Tensor:
    return x.transpose(1, 2).unflatten(2, (grid.rows, grid.cols))


def test_every_mixer_is_in_the_table():
    assert {case.mixer for case in CASES} == set(mixer_names())
    assert len({str(case) for case in CASES}) == len(CASES)


# Shapes, dtypes, gradients


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


@each_case
def test_gradients_are_those_of_finite_differences(case):
    grid = Grid(3, 4)
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


# The border


@each_grid
@each_case
def test_each_output_depends_on_what_it_reads_and_nothing_else(case, grid):
    mixer, x = make(case, grid, dtype=torch.float64), tokens(grid, batch=1)
    jacobian = torch.as_tensor(torch.autograd.functional.jacobian(lambda x: mixer(x).sum(-1), x))
    assert torch.equal((jacobian[0, :, 0] != 0).any(-1), case.reads(grid, x))
    if getattr(mixer, "field", None) is not None:
        assert torch.equal(mixer.field.mask(), case.reads(grid, x))


@pytest.mark.parametrize("case", [case for case in CASES if case.border == "left out"], ids=str)
def test_the_average_of_equal_tokens_is_the_same_up_to_the_border(case):
    """A token beyond the border that took part in an average, as a zero, would pull at the outer ones."""
    for grid in GRIDS:
        out = make(case, grid, dtype=torch.float64)(tokens(grid)[:, :1].expand(-1, grid.size, -1))
        torch.testing.assert_close(out, out[:, :1].expand_as(out), rtol=0, atol=1e-12, msg=str(grid))


@pytest.mark.parametrize("case", [case for case in CASES if case.border == "zero"], ids=str)
def test_a_margin_of_zeros_changes_nothing(case):
    for grid in GRIDS:
        x, wide = tokens(grid), Grid(grid.rows + 6, grid.cols + 6)
        mixer, other = make(case, grid, dtype=torch.float64), make(case, wide, dtype=torch.float64)
        out = images(other(pad(images(x, grid), (3, 3, 3, 3)).flatten(2).transpose(1, 2)), wide)
        inner = out[:, :, 3:-3, 3:-3]
        torch.testing.assert_close(inner, images(mixer(x), grid), rtol=0, atol=1e-12, msg=str(grid))


WITH_MAP = [case for case in CASES if case.mixer.endswith("attention") and case.mixer != "conv_attention"]


@pytest.mark.parametrize("case", WITH_MAP, ids=str)
def test_the_attention_map_times_the_values_is_the_mixers_output(case):
    mixer, x = make(case, dtype=torch.float64), tokens()
    weights = mixer.attention_map(x)
    assert weights.shape == (2, 4, GRID.size, GRID.size)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, GRID.size, dtype=torch.float64))
    for image, heads in zip(x, weights, strict=True):
        assert all(torch.equal(head > 0, case.reads(GRID, image[None])) for head in heads)
    v = mixer.v(x) if hasattr(mixer, "v") else mixer.qkv(x).chunk(3, dim=-1)[2]
    mixed = (weights @ v.unflatten(-1, (4, -1)).transpose(1, 2)).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mixer(x), mixer.proj(mixed), rtol=0, atol=1e-12)
    assert torch.equal(*weights) != isinstance(mixer, MultiHeadAttention)  # by position, or by content


# bfloat16


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


def gradients(mixer: nn.Module, x: Tensor, out: Tensor) -> tuple[Tensor, ...]:
    """Return the gradients of x and of every parameter, for one direction of the output."""
    direction = tokens(Grid(1, x.shape[1]), batch=len(x), dtype=out.dtype)
    return torch.autograd.grad((out * direction).sum(), [x, *mixer.parameters()])


# Tracing, exporting, compiling


def traced_grid(case: Case) -> Grid:
    """Return a grid large enough for tiles in groups and, in eager mode, for the linear backends.

    A compiler unrolls each step of a recurrence and each group of equal tiles, so their grids are smaller.
    """
    return {"recurrent": Grid(2, 2), "window_attention": Grid(5, 8)}.get(case.mixer, Grid(5, 14))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.*deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*were assigned during export.*:UserWarning")
@each_traced
def test_a_traced_or_exported_mixer_gives_the_same(case):
    grid = traced_grid(case)
    mixer = nn.Sequential(make(case, grid), make(case, grid)).eval()
    x, more = (tokens(grid, batch=batch, dtype=torch.float32) for batch in (2, 5))
    batch = torch.export.Dim("batch", min=2)
    with torch.no_grad():
        ways = {
            "fx": torch.fx.symbolic_trace(mixer),
            "jit": torch.jit.trace(mixer, x),
            "export": torch.export.export(mixer, (x,), dynamic_shapes=({0: batch},)).module(),
        }
        for way, traced in ways.items():
            for given in (x, more):
                message = f"{way}, {len(given)} images"
                torch.testing.assert_close(traced(given), mixer(given), rtol=0, atol=1e-6, msg=message)


@each_traced
def test_a_compiled_mixer_gives_the_same_forward_and_backward(case):
    torch.compiler.reset()  # or earlier cases use up the limit of recompilations
    grid = traced_grid(case)
    mixer = make(case, grid, dtype=torch.float64)
    # Tracing the backward pass as well takes seconds, so only the first case of an attention does it.
    variant = case.options and case.mixer.endswith("attention") and "edges" not in case.options
    compiled = torch.compile(mixer, backend="eager" if variant else "aot_eager", fullgraph=True)
    for batch in (2, 5):
        x = tokens(grid, batch=batch).requires_grad_()
        torch._dynamo.mark_dynamic(x, 0)  # a graph for a fixed number of images is now an error
        with torch._dynamo.config.patch(allow_rnn=True):
            got, wanted = compiled(x), mixer(x)
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)
        for one, other in zip(gradients(mixer, x, got), gradients(mixer, x, wanted), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


# The registry and the settings


FILES = sorted((Path(__file__).parents[2] / "conf" / "model").glob("[!_]*.yaml"))
IMAGES = {"img_size": 8, "patch_size": 2, "in_chans": 1}
KINDS = {type(create_mixer(name, DIM, GRID)): name for name in mixer_names()}


def mixers_of(model: Any) -> set[str]:
    """Return the names of the mixers in a model, and check the shape of its output."""
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)
    return {KINDS[type(block.mixer)] for block in model.blocks}


def test_every_mixer_has_a_model_in_timms_registry():
    backbones = [name for name in our_models() if name.startswith("field_")]
    mixers = [mixers_of(build(name, **IMAGES)) for name in backbones]
    assert set.union(*mixers) == set(mixer_names()) and all(len(names) == 1 for names in mixers)


def test_every_mixer_has_a_file_of_settings():
    store_schema()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = [compose("train", [f"model={file.stem}", "hydra/sweeper=basic"]).model for file in FILES]
    # The name of a timm model must be given.
    named = [
        model for model in composed if OmegaConf.select(model, "name", throw_on_resolution_failure=False)
    ]
    ours = [model for model in named if model.name.startswith("field_")]
    mixers = [mixers_of(build(model.name, **IMAGES, **model.kwargs)) for model in ours]
    assert set.union(*mixers) == set(mixer_names())
