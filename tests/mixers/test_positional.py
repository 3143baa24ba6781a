"""Mixers between convolution and self-attention: windows, and weights from places, against their formulas."""

import pytest
import timm
import torch
from timm.models.convit import GPSA
from torch import nn
from torch.nn.functional import pad

import vision.mixers
from vision.attention import MultiHeadAttention
from vision.fields import full, neighbourhood, tiled, tiles, truncated
from vision.mixers.gated_attention import GatedAttention
from vision.mixers.local_attention import LocalAttention
from vision.mixers.position_attention import attend_by_position
from vision.mixers.quadratic_attention import QuadraticAttention
from vision.mixers.static_attention import StaticAttention
from vision.mixers.truncated_attention import TruncatedAttention
from vision.mixers.window_attention import WindowAttention
from vision.models import Backbone
from vision.patches import Grid
from vision.positions import RelativeBias, quadratic_scores
from vision.soften.error_bound import weight_on_target

GRID = Grid(6, 7)
DIM = 8
WIDE: dict = {"dtype": torch.float64}


def make(mixer: type[nn.Module], grid: Grid = GRID, dim: int = DIM, **options) -> nn.Module:
    torch.manual_seed(0)
    made = mixer(dim, grid, **WIDE, **options)
    for name, parameter in made.named_parameters():
        if name.endswith("table"):  # as if trained: near 0 a mistake in it would not show
            nn.init.normal_(parameter)
    return made


def tokens(grid: Grid = GRID, dim: int = DIM, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, grid.size, dim, generator=torch.Generator().manual_seed(1), **WIDE)


def as_images(x: torch.Tensor, grid: Grid) -> torch.Tensor:
    return x.transpose(1, 2).unflatten(2, (grid.rows, grid.cols))


def far_apart(grid: Grid) -> torch.Tensor:
    """() -> (N, N, 2): key - query, row and column."""
    places = grid.coordinates()
    return places[None] - places[:, None]


# Fields


def test_tiles_by_hand():
    def ends(*given, **shift):
        return [(span.start, span.stop) for span in tiles(*given, **shift)]

    assert ends(6, 3) == [(0, 3), (3, 6)]
    assert ends(7, 3) == [(0, 3), (3, 6), (6, 7)]
    assert ends(6, 3, shift=1) == [(0, 1), (1, 4), (4, 6)]
    assert ends(5, 4, shift=2) == [(0, 2), (2, 5)]
    assert ends(4, 4, shift=2) == ends(4, 9) == [(0, 4)]


@pytest.mark.parametrize("shift", [0, 1])
def test_tiled_by_hand(shift):
    # Which tile each place of a 4 x 5 grid lies in, window 2.
    by_shift = {
        0: ["aabbc", "aabbc", "ddeef", "ddeef"],
        1: ["abbcc", "deeff", "deeff", "ghhii"],
    }
    tile = [letter for row in by_shift[shift] for letter in row]
    expected = torch.tensor([[one == other for other in tile] for one in tile])
    field = tiled(Grid(4, 5), 2, shift=shift)
    assert torch.equal(field.mask(), expected)
    assert field.columns == 4 and field.is_linear


def test_a_shifted_tile_is_what_swin_leaves_of_its_cyclic_shift():
    block = timm.models.swin_transformer.SwinTransformerBlock(
        4, input_resolution=(6, 9), num_heads=1, window_size=3, shift_size=1, always_partition=True
    )
    mask = block.attn_mask == 0  # (windows, 9, 9), in Swin's order: shifted, then cut into windows
    place = torch.arange(54).view(6, 9).roll((-1, -1), (0, 1))
    place = place.view(2, 3, 3, 3).transpose(1, 2).reshape(6, 9)
    expected = torch.zeros(54, 54, dtype=torch.bool)
    for window, allowed in zip(place, mask, strict=True):
        expected[window[:, None], window] = allowed
    assert torch.equal(tiled(Grid(6, 9), 3, shift=1).mask(), expected)


@pytest.mark.parametrize(("window", "shift"), [(7, 0), (7, 3), (10, 9)])
def test_a_window_no_shorter_than_the_grid_is_full(window, shift):
    assert torch.equal(tiled(GRID, window, shift=shift).mask(), full(GRID).mask())
    assert not torch.equal(tiled(GRID, 6, shift=0).mask(), full(GRID).mask())


def test_truncated_keeps_the_grid_and_reads_its_tokens_in_order():
    for options in ({"window": 5}, {"window": 3, "dilation": 6}, {"window": 9, "causal": True}):
        line, kept = truncated(GRID.size, **options), truncated(GRID, **options)
        assert kept.queries == kept.keys == GRID and kept.columns == line.columns
        assert torch.equal(kept.mask(), line.mask())
        for one, other in zip(kept.neighbours(), line.neighbours(), strict=True):
            assert torch.equal(one, other)
    assert truncated(Grid(1, 9), 3) == truncated(9, 3)


@pytest.mark.parametrize(
    ("causal", "both"),
    [
        (truncated(GRID, 7, dilation=2, causal=True), truncated(GRID, 7, dilation=2)),
        (truncated(42, 7, causal=True), truncated(42, 7)),
        (neighbourhood(GRID, 5, causal=True), neighbourhood(GRID, 5)),
        (neighbourhood(GRID, 3, dilation=2, causal=True), neighbourhood(GRID, 3, dilation=2)),
    ],
)
def test_causal_is_the_lower_triangle_of_the_field(causal, both):
    assert torch.equal(causal.mask(), both.mask().tril())
    assert causal.columns == (both.columns + 1) // 2


def test_errors_of_fields_say_what_would_be_right():
    with pytest.raises(ValueError, match=r"shift in 0 to window - 1, got window=3, shift=3"):
        tiled(GRID, 3, shift=3)
    with pytest.raises(ValueError, match="window must be at least 1"):
        tiled(GRID, 0)
    with pytest.raises(ValueError, match="dilation must be at least 1"):
        truncated(9, 3, dilation=0)


# Windows


@pytest.mark.parametrize(
    ("mixer", "options"),
    [
        (LocalAttention, {"kernel_size": 5}),
        (TruncatedAttention, {"window": 9}),
        (TruncatedAttention, {"window": 5, "dilation": 3}),
    ],
    ids=str,
)
def test_a_causal_mixer_does_not_see_what_comes_later(mixer, options):
    made, both = make(mixer, causal=True, **options), make(mixer, **options)
    x, place = tokens(), 23
    changed = x.clone()
    changed[:, place] += 1
    same = (made(changed) - made(x)).abs().amax((0, 2)) == 0
    assert same[:place].all() and not same[place]
    assert not ((both(changed) - both(x)).abs().amax((0, 2)) == 0)[:place].all()


def test_truncated_attention_is_local_attention_on_a_line():
    line = Grid(1, 42)
    one, other = make(TruncatedAttention, window=5), make(TruncatedAttention, line, window=5)
    other.load_state_dict(one.state_dict())
    masked = MultiHeadAttention(DIM, 4, field=full(GRID), **WIDE)
    masked.load_state_dict(one.state_dict())
    near = (torch.arange(42)[None] - torch.arange(42)[:, None]).abs() <= 2
    masked.field = type(one.field)(GRID, GRID, allowed=near)
    x = tokens()
    torch.testing.assert_close(one(x), masked(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(one(x), other(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("window", "shift"), [(3, 0), (3, 2), (4, 1), (5, 0), (7, 3)])
@pytest.mark.parametrize("bias", [False, True])
def test_tiles_in_groups_are_attention_with_the_mask_of_the_field(window, shift, bias):
    grid = Grid(9, 8)
    made = make(WindowAttention, grid, window=window, shift=shift, relative_bias=bias)
    assert not made.masked
    masked = MultiHeadAttention(DIM, 4, field=tiled(grid, window, shift=shift), relative_bias=bias, **WIDE)
    masked.load_state_dict({k: v for k, v in made.state_dict().items() if "table" not in k}, strict=False)
    if bias:  # the same numbers, where the table has one for every difference on the grid
        away = far_apart(made.tile)
        table = torch.zeros(4, 2 * grid.rows - 1, 2 * grid.cols - 1, **WIDE)
        row, col = (away + torch.tensor((grid.rows - 1, grid.cols - 1))).unbind(-1)
        table[:, row, col] = made.relative_bias()[0].detach()
        masked.relative_bias.table.data = table.flatten(1)
    x = tokens(grid)
    torch.testing.assert_close(made(x), masked(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(made.attention_map(x), masked.attention_map(x), rtol=0, atol=1e-12)
    made.masked = True
    torch.testing.assert_close(made(x), masked(x), rtol=0, atol=1e-12)


def test_one_window_is_self_attention():
    made = make(WindowAttention, window=7, shift=2)
    plain = MultiHeadAttention(DIM, 4, **WIDE)
    plain.load_state_dict(made.state_dict())
    torch.testing.assert_close(made(tokens()), plain(tokens()), rtol=0, atol=1e-12)


# Weights from places


@pytest.mark.parametrize("shared", [False, True])
def test_static_attention_by_hand(shared):
    for kernel_size, reach in ((None, 6), (3, 1), (5, 2)):
        made, x = make(StaticAttention, kernel_size=kernel_size, shared=shared), tokens()
        rows, cols = (6, 7) if kernel_size is None else (reach + 1, reach + 1)
        table = made.relative_bias.table.view(-1, 2 * rows - 1, 2 * cols - 1).expand(4, -1, -1)
        expected = torch.zeros(4, 42, 42, **WIDE)
        for query, (row, col) in enumerate(GRID.coordinates().tolist()):
            scores = {
                r * 7 + c: table[:, r - row + rows - 1, c - col + cols - 1]
                for r in range(6)
                for c in range(7)
                if max(abs(r - row), abs(c - col)) <= reach
            }
            total = sum(score.exp() for score in scores.values())
            for key, score in scores.items():
                expected[:, query, key] = score.exp() / total
        torch.testing.assert_close(made.attention_map(x)[1], expected, rtol=0, atol=1e-12)


def test_static_attention_is_a_depthwise_convolution_but_for_the_border():
    made, x = make(StaticAttention, kernel_size=3), tokens()
    kernel = made.relative_bias.table.softmax(-1).view(4, 1, 3, 3).repeat_interleave(2, 0)
    images = as_images(made.v(x), GRID)
    mixed = nn.functional.conv2d(images, kernel, padding=1, groups=DIM)
    share = nn.functional.conv2d(torch.ones_like(images), kernel, padding=1, groups=DIM)
    assert (share < 0.99).any()  # at the border the rest of the kernel weighs 1 again
    expected = made.proj((mixed / share).flatten(2).transpose(1, 2))
    torch.testing.assert_close(made(x), expected, rtol=0, atol=1e-12)


def test_one_softmax_for_the_batch_is_one_for_each_image():
    v = torch.randn(3, 4, 42, 2, **WIDE)
    for field in (full(GRID), neighbourhood(GRID, 3)):
        scores = RelativeBias(field, 4, **WIDE)()
        one_by_one = torch.cat([attend_by_position(image, scores, field) for image in v.split(1)])
        torch.testing.assert_close(attend_by_position(v, scores, field), one_by_one, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kernel_size", [None, 5])
def test_quadratic_scores_by_hand(kernel_size):
    made = make(QuadraticAttention, kernel_size=kernel_size)
    with torch.no_grad():
        made.alpha.copy_(torch.tensor([0.3, -1.0, 2.0, 0.01]))
    away = far_apart(GRID)[None] - made.centres[:, None, None]
    logits = -made.alpha.abs()[:, None, None] * away.square().sum(-1)
    expected = logits.masked_fill(~made.field.mask(), float("-inf")).softmax(-1)
    torch.testing.assert_close(made.attention_map(tokens())[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel_size", [None, 5])
def test_a_sharp_quadratic_head_is_a_shift_with_the_border_repeated(kernel_size):
    made, x = make(QuadraticAttention, kernel_size=kernel_size, alpha=300.0), tokens()
    shifts = [(0, 0), (-1, 2), (2, 1), (0, -2)]
    with torch.no_grad():
        made.centres.copy_(torch.tensor(shifts))
    padded = pad(as_images(made.v(x), GRID), (2, 2, 2, 2), mode="replicate")
    heads = [
        padded[:, 2 * head : 2 * head + 2, 2 + row : 8 + row, 2 + col : 9 + col]
        for head, (row, col) in enumerate(shifts)
    ]
    expected = made.proj(torch.cat(heads, dim=1).flatten(2).transpose(1, 2))
    torch.testing.assert_close(made(x), expected, rtol=0, atol=1e-12)


def test_a_blunt_quadratic_head_is_the_mean_and_large_grids_do_not_overflow():
    made, x = make(QuadraticAttention, alpha=0.0), tokens()
    mean = made.proj(made.v(x).mean(1, keepdim=True)).expand_as(x)
    torch.testing.assert_close(made(x), mean, rtol=0, atol=1e-12)
    field = full(Grid(1, 2000))
    scores = quadratic_scores(field, torch.tensor([8.0]), torch.tensor([[0.0, 1.0]]))
    assert scores.half().isfinite().all()
    assert torch.equal(scores[0, 0].argmax(-1), (torch.arange(2000) + 1).clamp(max=1999))


# Position and content under a gate


def kernel_of(made: GatedAttention) -> torch.Tensor:
    """() -> (C, C, side, side): proj_h v_h of each head, in the place of the head's centre."""
    side = round(made.num_heads**0.5)
    v = made.qkv.weight.chunk(3)[2].unflatten(0, (made.num_heads, -1))
    proj = made.proj.weight.unflatten(1, (made.num_heads, -1))
    return torch.einsum("ohd,hdi->oih", proj, v).unflatten(2, (side, side))


def convolved(made: GatedAttention, x: torch.Tensor, mode: str) -> torch.Tensor:
    """The convolution that a sharp head for each place of the kernel stands for."""
    side = round(made.num_heads**0.5)
    before, after = side // 2, side - 1 - side // 2
    bias = made.proj(made.qkv.bias.chunk(3)[2]).detach()
    images = pad(as_images(x, GRID), (before, after, before, after), mode=mode)
    return nn.functional.conv2d(images, kernel_of(made), bias).flatten(2).transpose(1, 2)


@pytest.mark.parametrize("num_heads", [1, 4, 9, 16])
@pytest.mark.parametrize("kernel_size", [None, 5])
def test_position_alone_and_sharp_is_the_convolution_with_the_border_repeated(num_heads, kernel_size):
    made = make(
        GatedAttention, num_heads=num_heads, kernel_size=kernel_size, alpha=50.0, gate=50.0, head_dim=3
    )
    x = tokens()
    with torch.no_grad():
        torch.testing.assert_close(made(x), convolved(made, x, "replicate"), rtol=0, atol=1e-12)
        if num_heads > 1:  # against zeros the border stays wrong, however sharp
            error = (made(x) - convolved(made, x, "constant")).abs().amax((0, 2)).view(6, 7)
            assert error[0, 0] > 0.01 and error[3, 3] < 1e-12


@pytest.mark.parametrize("alpha", [1.0, 2.0, 4.0, 8.0])
def test_the_distance_to_the_convolution_is_below_its_bound_and_not_far(alpha):
    made = make(GatedAttention, num_heads=9, alpha=alpha, gate=40.0, head_dim=3)
    x = tokens(batch=8)
    with torch.no_grad():
        error = (made(x) - convolved(made, x, "replicate")).norm(dim=-1).max()
        norms = torch.linalg.matrix_norm(kernel_of(made).permute(2, 3, 0, 1), ord=2).sum()
        bound = 2 * x.norm(dim=-1).max() * norms * (1 - weight_on_target(alpha))
    assert bound / 50 < error < bound


@pytest.mark.parametrize("gate", [-2.0, 0.0, 1.0])
def test_gated_attention_is_timms_gpsa(gate):
    grid = Grid(5, 5)
    made, theirs = make(GatedAttention, grid, gate=gate, alpha=0.7), GPSA(DIM, 4, qkv_bias=True).double()
    weights, biases = made.qkv.weight.chunk(3), made.qkv.bias.chunk(3)
    alpha, centres = made.alpha.detach(), made.centres.detach()
    positions = torch.stack((2 * alpha * centres[:, 1], 2 * alpha * centres[:, 0], -alpha), dim=1)
    state = {
        "qk.weight": torch.cat(weights[:2]),
        "qk.bias": torch.cat(biases[:2]),
        "v.weight": weights[2],
        "v.bias": biases[2],
        "proj.weight": made.proj.weight,
        "proj.bias": made.proj.bias,
        "pos_proj.weight": positions,
        "pos_proj.bias": torch.zeros(4),
        "gating_param": made.gate,
    }
    theirs.load_state_dict(state)
    x = tokens(grid)
    theirs.rel_indices = theirs.get_rel_indices(25).double()
    torch.testing.assert_close(made.attention_map(x), theirs.get_attention(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(made(x), theirs(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel_size", [None, 3])
def test_the_gate_blends_position_and_content(kernel_size):
    made, x = make(GatedAttention, kernel_size=kernel_size), tokens()
    made.gate.data = torch.tensor([-50.0, 0.0, 2.0, 50.0], **WIDE)
    content, position, both = made.content_map(x), made.position_map(x), made.attention_map(x)
    share = torch.tensor([0.0, 0.5, 1 / (1 + 2.718281828459045**-2), 1.0], **WIDE)[:, None, None]
    torch.testing.assert_close(both, share * position + (1 - share) * content, rtol=0, atol=1e-12)
    plain = MultiHeadAttention(DIM, 4, field=made.field, **WIDE)
    plain.load_state_dict(made.state_dict(), strict=False)
    torch.testing.assert_close(content, plain.attention_map(x), rtol=0, atol=1e-12)
    assert (position - content).abs().amax((0, 2, 3)).min() > 0.01


def test_heads_must_fill_a_kernel():
    with pytest.raises(ValueError, match=r"must be a square.*1, 4, 9, 16 or more; got num_heads=6"):
        GatedAttention(12, GRID, num_heads=6)
    with pytest.raises(ValueError, match=r"num_heads=3; 1, 2, 4, 8 would fit"):
        StaticAttention(DIM, GRID, num_heads=3)
    assert GatedAttention(DIM, GRID).centres.tolist() == [[-1, -1], [-1, 0], [0, -1], [0, 0]]


def test_the_backbones_own_start_leaves_the_convolution(monkeypatch):
    monkeypatch.setitem(vision.mixers._MIXERS, "gated_attention", GatedAttention)
    options = {"alpha": 50.0, "gate": 50.0, "num_heads": 9}
    model = Backbone(
        img_size=(6, 7), patch_size=1, embed_dim=18, depth=2, mixer="gated_attention", mixer_options=options
    )
    x = tokens(dim=18).float()
    for block in model.blocks:
        expected = convolved(block.mixer, x, "replicate")
        torch.testing.assert_close(block.mixer(x), expected, rtol=0, atol=1e-5)
