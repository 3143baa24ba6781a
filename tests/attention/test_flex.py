"""FlexAttention against the reference: compiled on a CUDA device, uncompiled elsewhere."""

import pytest
import torch
from attention_checks import assert_same, bias_for, qkv, with_gradients
from field_cases import BY_OFFSETS, OTHERS

from vision.attention import attend, flex
from vision.fields import neighbourhood
from vision.patches import Grid


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="FlexAttention is tested on a CUDA device")
@pytest.mark.parametrize("form", ["none", "per_offset", "dense"])
def test_flex_equals_the_reference(form):
    field = neighbourhood(Grid(16, 16), 3)
    draws = qkv(field, dim=32, value_dim=32, dtype=torch.float32)
    q, k, v = (x.detach().cuda().requires_grad_() for x in draws)
    bias = bias_for(field, form)
    bias = None if bias is None else bias.detach().float().cuda().requires_grad_()
    got = with_gradients((q, k, v), field, bias, backend="flex")
    assert_same(got, with_gradients((q, k, v), field, bias, backend="reference"), 5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["none", "per_offset", "dense"])
@pytest.mark.parametrize("name", ["3x3", "padded", "masked0"])
@pytest.mark.filterwarnings("ignore:.*flex_attention called without torch.compile.*")
def test_flex_uncompiled_equals_the_reference(name, form, monkeypatch):
    from torch.nn.attention.flex_attention import flex_attention

    field = (OTHERS | BY_OFFSETS)[name]
    if form == "per_offset" and not field.is_linear:
        pytest.skip("a bias per offset needs a field by offsets")
    q, k, v = (x.detach() for x in qkv(field))
    bias = bias_for(field, form)
    bias = None if bias is None else bias.detach()
    monkeypatch.setattr(flex, "_compiled", lambda: flex_attention)
    got = flex.attention(q, k, v, field, bias)
    torch.testing.assert_close(got, attend(q, k, v, field, bias, backend="reference"), rtol=0, atol=1e-6)
