"""The layer of a soft convolution: windows, content scores, gradients, and every precision."""

import math
from typing import Any

import pytest
import torch
from soft_cases import ALL, conv_of, distance, radius
from torch import Tensor, nn

from vision.attention import attend
from vision.soften import soft_convolution, soft_layer
from vision.soften.error_bound import error_bound, theta, weight_on_target


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

    monkeypatch.setattr(soft_layer, "attend", spy)
    monkeypatch.setattr(torch.Tensor, "is_cpu", False)
    soft(images)
    monkeypatch.setattr(soft_layer, "DENSE_LIMIT", 0)
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
