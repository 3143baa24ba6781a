"""A convolution as attention with soft positions: its bound, its limits, what it can learn."""

import importlib
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from soft_convolution import plot_soft_error
from torch import Tensor, nn

from vision.attention import attend
from vision.soften.error_bound import error_bound, soft_errors, theta, weight_on_target
from vision.soften.soft_convolution import SoftConvolution, soft_convolution
from vision.soften.soften import soften, softened_layers

soft_module = importlib.import_module("vision.soften.soft_convolution")

CASES: dict[str, dict[str, Any]] = {
    "plain": {"kernel_size": 3, "padding": 1},
    "stride": {"kernel_size": 3, "padding": 1, "stride": 2},
    "strides": {"kernel_size": 3, "padding": (1, 0), "stride": (3, 1)},
    "dilation": {"kernel_size": 3, "padding": 2, "dilation": 2},
    "same": {"kernel_size": (3, 5), "padding": "same"},
    "groups": {"kernel_size": 3, "padding": 1, "groups": 2},
    "depthwise": {"kernel_size": 3, "padding": 1, "groups": 4, "bias": False},
    "even": {"kernel_size": 2, "padding": 1},
    "even and stride": {"kernel_size": 4, "padding": 1, "stride": 2},
    "rectangle": {"kernel_size": (1, 5), "padding": (0, 2)},
    "no padding": {"kernel_size": 3},
    "padding beyond the kernel": {"kernel_size": 3, "padding": 4},
}
ALL = pytest.mark.parametrize("case", CASES)
PADDED = pytest.mark.parametrize("case", [name for name, given in CASES.items() if given.get("padding", 0)])


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 4, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def conv_of(case: str, mode: Any = "zeros") -> nn.Conv2d:
    torch.manual_seed(1)
    return nn.Conv2d(4, 8, padding_mode=mode, dtype=torch.float64, **CASES[case])


def distance(one: Tensor, other: Tensor) -> float:
    """Largest Euclidean distance over channels."""
    assert one.shape == other.shape
    return float((one - other).norm(dim=1).max().detach())


def radius(images: Tensor) -> float:
    return float(images.norm(dim=1).max().detach())


# --- the bound and its slope


def test_theta_is_the_sum_and_the_weight_its_inverse_square():
    for alpha in (0.01, 0.3, 1.0, 4.0):
        assert theta(alpha) == pytest.approx(
            sum(math.exp(-alpha * n * n) for n in range(-400, 401)), rel=1e-12
        )
    # Poisson's formula: the same sum over the reciprocal line
    assert theta(0.5) == pytest.approx(math.sqrt(math.pi / 0.5) * theta(math.pi**2 / 0.5), rel=1e-12)
    known = {1: 0.318, 2: 0.619, 4: 0.931, 8: 0.9987}
    for alpha, weight in known.items():
        assert weight_on_target(alpha) == pytest.approx(weight, abs=5e-4)


def test_weight_on_target_is_that_of_a_head_far_from_the_border():
    soft = soft_convolution(nn.Conv2d(1, 1, 3, padding=1, dtype=torch.float64), 1.0)
    images = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    middle = soft.attention_map(images)[0, :, 10 * 21 + 10]  # (heads, keys on 23 x 23)
    torch.testing.assert_close(middle.sum(1), torch.ones(9, dtype=torch.float64))
    for head, (row, col) in enumerate((i, j) for i in (10, 11, 12) for j in (10, 11, 12)):
        assert float(middle[head].detach()[row * 23 + col]) == pytest.approx(weight_on_target(1.0), abs=1e-12)
        assert int(middle[head].argmax()) == row * 23 + col


@ALL
@pytest.mark.parametrize("window", [None, 1])
def test_the_bound_holds(case: str, window: int | None, images: Tensor):
    conv = conv_of(case)
    for alpha in (1.0, 2.0, 4.0, 8.0):
        error = distance(soft_convolution(conv, alpha, window=window)(images), conv(images))
        bound = error_bound(conv, alpha, radius(images))
        assert bound / 100 < error <= bound


def test_the_bound_of_groups_is_that_of_the_whole_block_diagonal_matrix():
    conv, whole = conv_of("groups"), nn.Conv2d(4, 8, 3, padding=1, dtype=torch.float64)
    with torch.no_grad():
        whole.weight.zero_()
        whole.weight[:4, :2], whole.weight[4:, 2:] = conv.weight[:4], conv.weight[4:]
    norms = torch.linalg.svdvals(whole.weight.flatten(2).permute(2, 0, 1)).amax(1)
    by_hand = 2 * 3.0 * float(norms.sum().detach()) * (1 - weight_on_target(2.0))
    assert error_bound(conv, 2.0, 3.0) == pytest.approx(by_hand, rel=1e-12)


@ALL
def test_the_error_falls_as_exp_of_minus_alpha(case: str, images: Tensor):
    conv = conv_of(case)
    errors = [distance(soft_convolution(conv, alpha)(images), conv(images)) for alpha in (4.0, 10.0)]
    assert math.log(errors[1] / errors[0]) / 6 == pytest.approx(-1, abs=0.03)


# --- the border


@ALL
def test_with_its_ring_it_becomes_the_zero_padded_convolution_everywhere(case: str, images: Tensor):
    conv = conv_of(case)
    soft = soft_convolution(conv, 40.0)
    assert (soft.ring != (0, 0)) == bool(conv.padding != (0, 0))
    assert distance(soft(images), conv(images)) < 1e-13


@PADDED
def test_without_the_ring_it_becomes_the_replicate_padded_convolution(case: str, images: Tensor):
    zeros, replicate = conv_of(case), conv_of(case, "replicate")
    for window in (None, 2):
        sharp = soft_convolution(zeros, 40.0, ring=False, window=window)
        assert distance(sharp(images), replicate(images)) < 1e-13
        assert sharp.to_conv().padding_mode == "replicate"
        served = soft_convolution(replicate, 2.0, window=window)
        assert served.ring == (0, 0)
        error = distance(served(images), replicate(images))
        assert 0 < error <= error_bound(replicate, 2.0, radius(images))


def test_without_the_ring_only_the_border_is_far_from_zero_padding(images: Tensor):
    table = soft_errors(conv_of("plain"), [4.0, 8.0, 12.0], images)
    assert list(table.columns) == ["alpha", "region", "ring", "measured", "bound"] and len(table) == 12
    bare = table.query("region == 'border' and not ring")["measured"].tolist()
    assert min(bare) > 0.5 and bare[2] > 0.9 * bare[0]
    rest = table.query("region == 'inside' or ring")
    assert len(rest) == 9 and bool((rest["measured"] <= rest["bound"]).all())
    assert rest.query("alpha == 12")["measured"].max() < 1e-3


def test_soft_errors_has_no_border_without_padding(images: Tensor):
    assert set(soft_errors(conv_of("no padding"), [2.0], images)["region"]) == {"inside"}


# --- the window


@ALL
@pytest.mark.parametrize("window", [1, 2])
def test_a_window_drops_only_what_lies_outside(case: str, window: int, images: Tensor):
    conv = conv_of(case)
    for alpha in (1.0, 2.0):
        whole = soft_convolution(conv, alpha)
        local = soft_convolution(conv, alpha, window=window)
        # A head at the edge of the kernel sees `window` positions beyond its centre.
        seen = sum(math.exp(-alpha * n * n) for n in range(-window, window + 1)) / theta(alpha)
        bound = error_bound(conv, alpha, radius(images)) / (1 - weight_on_target(alpha)) * (1 - seen**2)
        assert distance(whole(images), local(images)) <= bound
    assert local.field(9, 8).offsets is not None and whole.field(9, 8).is_full


def test_a_window_over_the_grid_is_the_full_form_also_with_learned_content(images: Tensor):
    conv = conv_of("stride")
    whole, local = soft_convolution(conv, 0.3), soft_convolution(conv, 0.3, window=12)
    torch.manual_seed(2)
    nn.init.normal_(whole.q.weight)
    with torch.no_grad():
        whole.centres.add_(0.3 * torch.randn_like(whole.centres))
    local.load_state_dict(whole.state_dict())
    torch.testing.assert_close(whole(images), local(images), rtol=0, atol=1e-12)
    torch.testing.assert_close(whole.attention_map(images), local.attention_map(images), rtol=0, atol=1e-12)


def test_a_window_stays_linear_on_a_device_whose_memory_the_dense_form_would_fill(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
):
    soft, taken = soft_convolution(conv_of("plain"), 1.0, window=1), []
    expected = soft(images)

    def spy(*given: Any, backend: str) -> Tensor:
        taken.append(backend)
        return attend(*given, backend=backend)

    monkeypatch.setattr(soft_module, "attend", spy)
    monkeypatch.setattr(torch.Tensor, "is_cpu", False)
    soft(images)
    monkeypatch.setattr(soft_module, "DENSE_LIMIT", 0)
    torch.testing.assert_close(soft(images), expected, rtol=0, atol=1e-12)
    assert taken == ["auto", "shift"]


def test_too_large_a_dense_form_is_refused_and_a_window_serves_it():
    conv, images = nn.Conv2d(1, 1, 3, padding=1), torch.zeros(1, 1, 96, 96)
    with pytest.raises(ValueError, match=r"9 heads on images \(1, 1, 96, 96\) need 3\.\d GiB.*window=1"):
        soft_convolution(conv, 8.0)(images)
    soft = soft_convolution(conv, 8.0, window=1)
    assert soft(images).shape == images.shape
    with pytest.raises(ValueError, match="smaller images"):
        soft.attention_map(images)


# --- what it is made of, and what it can learn


@ALL
def test_to_conv_returns_the_convolution(case: str, images: Tensor):
    conv = conv_of(case)
    back = soft_convolution(conv, 0.1).to_conv()
    assert torch.equal(back.weight, conv.weight) and torch.equal(back(images), conv(images))


def test_to_conv_follows_centres_that_were_exchanged():
    soft = soft_convolution(nn.Conv2d(2, 3, 3, padding=2, dilation=2), 8.0)
    with torch.no_grad():
        soft.centres[[0, 5]] = soft.centres[[5, 0]] + 0.4
    weight, back = soft.weight.flatten(2), soft.to_conv().weight.flatten(2)
    assert torch.equal(back[..., 0], weight[..., 5]) and torch.equal(back[..., 5], weight[..., 0])
    assert torch.equal(back[..., 1:5], weight[..., 1:5])


def test_to_conv_refuses_a_layer_that_is_not_a_convolution():
    soft = soft_convolution(nn.Conv2d(1, 1, 3, padding=2, dilation=2), 8.0)
    with torch.no_grad():
        soft.centres[4, 1] = 1.0  # between the positions of a dilated kernel
    with pytest.raises(
        ValueError, match=r"position of the \(3, 3\) kernel, got \[\[0.0, 1.0\]\] of heads \[4\]"
    ):
        soft.to_conv()
    with torch.no_grad():
        soft.centres[4] = torch.tensor([-2.0, 0.2])
    with pytest.raises(ValueError, match=r"different position .* got .* of heads \[1, 4\]"):
        soft.to_conv()


def test_content_scores_start_at_zero_exactly(images: Tensor):
    soft = soft_convolution(conv_of("plain"), 2.0)
    before = soft(images)
    nn.init.normal_(soft.k.weight)
    assert torch.equal(soft(images), before)
    nn.init.normal_(soft.q.weight)
    assert distance(soft(images), before) > 0.1


def test_content_compares_the_key_with_the_token_at_the_query(images: Tensor):
    soft = soft_convolution(conv_of("strides"), 1.0)
    nn.init.normal_(soft.q.weight)
    with torch.no_grad():
        soft.alpha.zero_()
    ringed = nn.functional.pad(images, (0, 0, 1, 1))[0]
    q, k = (linear.weight.unflatten(0, (9, -1)) for linear in (soft.q, soft.k))
    for head, query in ((0, 0), (7, 9)):  # 6 queries in a row, each third row of the images
        logits = torch.einsum(
            "dc,c,de,ehw->hw", q[head], images[0, :, query // 6 * 3, query % 6], k[head], ringed
        )
        expected = (logits / 4).flatten().softmax(0)  # head_dim is 16
        torch.testing.assert_close(soft.attention_map(images)[0, head, query], expected)


@pytest.mark.parametrize("window", [None, 1])
def test_gradients_reach_positions_content_and_values(window: int | None, images: Tensor):
    soft = soft_convolution(conv_of("stride"), 2.0, window=window)
    soft(images).square().sum().backward()
    learned = (soft.alpha, soft.centres, soft.weight, soft.bias, soft.q.weight)
    # every head on its own, the last dimension of a weight being the kernel's
    for grad in (p.grad for p in learned if p is not None):
        assert grad is not None and grad.isfinite().all() and (grad != 0).all()
    assert soft.k.weight.grad is not None and not soft.k.weight.grad.any()  # as q is zero


def test_position_gradients_are_the_derivative():
    torch.manual_seed(0)
    soft = soft_convolution(nn.Conv2d(2, 2, 2, padding=1, dtype=torch.float64), 0.7)
    images = torch.randn(1, 2, 3, 4, dtype=torch.float64)

    def outputs(alpha: Tensor, centres: Tensor) -> Any:
        return torch.func.functional_call(soft, {"alpha": alpha, "centres": centres}, images)

    assert torch.autograd.gradcheck(outputs, (soft.alpha, soft.centres))


def test_the_sign_of_alpha_does_not_count(images: Tensor):
    soft = soft_convolution(conv_of("plain"), 2.0)
    before = soft(images)
    with torch.no_grad():
        soft.alpha.neg_()
    assert torch.equal(soft(images), before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("window", [None, 1])
def test_no_precision_overflows_on_a_long_grid(dtype: torch.dtype, window: int | None):
    torch.manual_seed(0)
    conv, images = nn.Conv2d(4, 4, (1, 3), padding=(0, 1)), torch.randn(1, 4, 1, 400)
    assert torch.finfo(torch.float16).max < 8 * 399**2
    soft = soft_convolution(conv.to(dtype), 8.0, window=window)
    out = soft(images.to(dtype))
    out.float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in soft.parameters())
    loss = {torch.float16: 1e-2, torch.bfloat16: 5e-2, torch.float32: 1e-5}[dtype]
    assert soft.scores(soft.field(1, 400)).to(dtype).isfinite().all()
    exact = soft_convolution(conv.double(), 8.0)(images.to(dtype).double())
    assert distance(out.double(), exact) < loss


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_head_that_looks_far_off_the_grid_takes_the_nearest_key(dtype: torch.dtype):
    soft = soft_convolution(nn.Conv2d(1, 1, 1, bias=False).to(dtype), 8.0)
    with torch.no_grad():
        soft.centres.copy_(torch.tensor([[-500.0, 300.0]]))
        soft.weight.fill_(1.0)
    images = torch.arange(20.0).view(1, 1, 4, 5).to(dtype)
    assert torch.equal(soft(images), torch.full_like(images, 4.0))


@pytest.mark.parametrize("window", [None, 1])
def test_autocast_answers_in_its_precision(window: int | None):
    torch.manual_seed(0)
    conv, images = nn.Conv2d(4, 4, 3, padding=1), torch.randn(2, 4, 12, 12)
    soft = soft_convolution(conv, 8.0, window=window)
    with torch.autocast("cpu", torch.bfloat16):
        out, expected, seen = soft(images), conv(images), soft.attention_map(images)
    assert out.dtype == expected.dtype == seen.dtype == torch.bfloat16
    assert distance(out.float(), soft(images)) < 0.05


def test_the_convolution_is_left_as_it_is(images: Tensor):
    conv = conv_of("plain")
    before = conv.weight.clone()
    soft = soft_convolution(conv, 2.0)
    with torch.no_grad():
        soft.weight.zero_()
    assert torch.equal(conv.weight, before) and distance(soft(images), conv(images)) > 0


# --- whole models


class StandIn(nn.Module):
    """A stand-in for a converted layer: it returns the convolution that it replaces."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images)

    def to_conv(self) -> nn.Module:
        return self.layer


def small_cnn(chans: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    uneven = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 8, 2))
    head = (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10))
    body = {
        "first": StandIn(nn.Conv2d(chans, 8, 3, padding=1)),
        "act1": nn.ReLU(),
        "uneven": StandIn(uneven),
        "point": StandIn(nn.Conv2d(8, 8, 1)),
        "wrapped": StandIn(nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")),
        "block": nn.Sequential(StandIn(nn.Conv2d(8, 8, 3, stride=2, padding=1)), nn.ReLU()),
        "head": nn.Sequential(*head),
    }
    model = nn.Sequential()
    for name, layer in body.items():
        model.add_module(name, layer)
    return model


def test_soften_replaces_the_kernels_and_nothing_else():
    model = small_cnn().eval()
    soft = soften(model, alpha=4.0)
    assert set(softened_layers(soft)) == {"first", "block.0"} and not softened_layers(model)
    for layer in softened_layers(soft).values():
        assert layer.window == 1 and layer.ring == (1, 1) and not layer.training
        assert all(p.requires_grad for p in layer.parameters()) and (layer.alpha == 4).all()


def test_a_layer_used_twice_stays_one_and_a_root_may_be_softened():
    layer = StandIn(nn.Conv2d(2, 2, 3, padding=1))
    soft = soften(nn.Sequential(layer, nn.ReLU(), layer))
    assert isinstance(soft[0], SoftConvolution) and soft[0] is soft[2]  # type: ignore[index]
    assert isinstance(soften(layer), SoftConvolution)
    nested = StandIn(StandIn(nn.Conv2d(2, 2, 3)))
    nested.to_conv = nested.layer.to_conv  # type: ignore[method-assign, union-attr]
    assert set(softened_layers(soften(nn.Sequential(nested)))) == {"0"}


def test_a_layer_that_gets_its_weights_with_each_call_stays():
    called = StandIn(nn.Conv2d(2, 2, 3))
    called.weight = None  # type: ignore[assignment]
    called.to_conv = lambda: 1 / 0  # type: ignore[method-assign, return-value, assignment]
    soft = soften(nn.Sequential(called, StandIn(nn.Conv2d(2, 2, 3))))
    assert set(softened_layers(soft)) == {"1"}


def test_each_softened_layer_is_within_its_bound_and_the_logits_converge():
    model = small_cnn().double()
    images = torch.randn(4, 1, 9, 8, dtype=torch.float64)
    errors = []
    for alpha in (4.0, 8.0, 12.0):
        soft, seen = soften(model, alpha), {}
        layers = softened_layers(soft)
        for layer in layers.values():
            layer.register_forward_hook(
                lambda layer, given, out, seen=seen: seen.update({layer: (*given, out)})
            )
        errors.append(float((soft(images) - model(images)).detach().abs().max()))
        assert len(seen) == 2
        for name, layer in layers.items():
            conv: Any = model.get_submodule(name)
            given, out = seen[layer]
            assert 0 < distance(out, conv(given)) <= error_bound(conv.layer, alpha, radius(given))
    for one, other in pairwise(errors):
        assert math.log(other / one) / 4 == pytest.approx(-1, abs=0.05)


@pytest.mark.slow
def test_training_a_softened_cnn_lowers_its_loss_and_moves_its_centres(digits):
    from vision.data import load_source

    train = load_source(digits).train
    images, labels = torch.as_tensor(train.pixels)[:256] / 255, train.labels[:256]
    model = soften(small_cnn(), alpha=4.0)
    before = {name: layer.centres.detach().clone() for name, layer in softened_layers(model).items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for step in range(60):
        chosen = slice(step % 4 * 64, step % 4 * 64 + 64)
        loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4])
    for name, layer in softened_layers(model).items():
        assert (layer.centres - before[name]).abs().max() > 0.02
        assert layer.k.weight.grad is not None and layer.k.weight.grad.any()  # q has left zero
        assert (layer.alpha > 0).all()


# --- what is refused


def test_wrong_inputs_name_what_is_wrong():
    conv = nn.Conv2d(2, 2, 3, padding=1)
    for alpha in (0.0, -1.0, math.inf, math.nan):
        for call in (lambda a: soft_convolution(conv, a), theta, lambda a: error_bound(conv, a, 1.0)):
            with pytest.raises(ValueError, match=r"alpha must be positive and finite, got alpha="):
                call(alpha)
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (nn.Conv1d(2, 2, 3), {}, "nn.Conv2d .* got Conv1d"),
        (nn.ConvTranspose2d(2, 2, 3), {}, "got ConvTranspose2d"),
        (
            nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"),
            {},
            "'zeros' or 'replicate', got 'circular'",
        ),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), {}, "'zeros' or 'replicate', got 'reflect'"),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="replicate"), {"ring": True}, "ring=True"),
        (nn.Conv2d(2, 2, 2, padding="same"), {}, "padding='same' .* unevenly; put nn.ZeroPad2d"),
        (conv, {"window": -1}, "window must be at least 0 .* got window=-1"),
        (nn.Conv2d(2, 2, 1, padding=2), {"ring": False, "window": 1}, "window must be at least 2"),
    ]
    for layer, given, message in wrong:
        with pytest.raises(ValueError, match=message):
            soft_convolution(layer, 8.0, **given)
    soft = soft_convolution(conv, 8.0)
    for shape in ((1, 3, 8, 8), (2, 8, 8)):
        with pytest.raises(ValueError, match=r"images must be \(B, 2, H, W\), got \("):
            soft(torch.zeros(shape))
    with pytest.raises(ValueError, match="kernel"):
        soft_convolution(nn.Conv2d(2, 2, 5), 8.0)(torch.zeros(1, 2, 4, 4))


def test_a_convolution_with_a_forward_of_its_own_is_refused():
    class Doubled(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    with pytest.raises(ValueError, match="got Doubled"):
        soft_convolution(Doubled(2, 2, 3), 8.0)


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 1, 3), StandIn(nn.Conv2d(1, 1, 1)), nn.ReLU()])
def test_soften_needs_a_converted_kernel(layer: nn.Module):
    with pytest.raises(ValueError, match=r"soften needs a converted layer .* got Sequential without one"):
        soften(nn.Sequential(layer))


def test_a_softened_model_is_not_softened_again():
    with pytest.raises(ValueError, match="soften needs a converted layer"):
        soften(soften(small_cnn()))


# --- the figure


def test_the_figure_shows_bound_ring_and_no_ring_in_both_regions(images: Tensor):
    table = soft_errors(conv_of("plain"), [2.0, 1.0, 4.0], images)
    figure = plot_soft_error(table, title="3x3", notes="n = 2")
    assert len(figure.axes) == 2
    for panel, region in zip(figure.axes, ("inside", "border"), strict=True):
        assert panel.get_yscale() == "log" and region in panel.get_title()
        lines = {str(line.get_label()): line for line in panel.get_lines()}
        assert set(lines) == {"bound", "measured, with a ring of zero tokens", "measured, without a ring"}
        rows = table[(table["region"] == region) & ~table["ring"]].sort_values("alpha")
        drawn = lines["measured, without a ring"]
        assert np.asarray(drawn.get_xdata()).tolist() == [1.0, 2.0, 4.0]
        assert np.asarray(drawn.get_ydata()).tolist() == rows["measured"].tolist()


def test_a_table_without_a_known_region_is_refused():
    row = {"alpha": 1.0, "region": "corner", "ring": True, "measured": 1.0, "bound": 2.0}
    with pytest.raises(ValueError, match=r"region must be one of inside, border, got \['corner'\]"):
        plot_soft_error(pd.DataFrame([row]), title="x")
