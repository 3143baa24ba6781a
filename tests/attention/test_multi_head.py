"""MultiHeadAttention equals torch's; it survives tracing, export and compilation."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from vision.attention import MultiHeadAttention
from vision.fields import full, neighbourhood
from vision.patches import Grid


def test_multi_head_attention_equals_torchs():
    ours = MultiHeadAttention(12, 3, dtype=torch.float64)
    torchs = nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "field", [full(Grid(16, 17)), neighbourhood(Grid(16, 17), 3), None], ids=["full", "local", "any"]
)
def test_a_module_works_in_another_dtype_traced_exported_and_compiled(field):
    attention = MultiHeadAttention(8, 2, field=field, relative_bias=field is not None).eval()
    x = torch.randn(2, 272, 8)
    wanted = attention(x)
    torch.testing.assert_close(torch.fx.symbolic_trace(attention)(x), wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced: Any = torch.jit.trace(attention, x)
        torch.testing.assert_close(traced(x), wanted)
        exported = torch.export.export(attention, (x,), strict=False).module()
        torch.testing.assert_close(exported(x), wanted)
        compiled = torch.compile(attention, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), wanted)
    leaf = x.clone().requires_grad_()
    compiled(leaf).sum().backward()
    assert leaf.grad is not None and leaf.grad.isfinite().all()
    torch.testing.assert_close(attention(x), wanted)
    assert attention.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="relative_bias needs a field"):
        MultiHeadAttention(8, 2, relative_bias=True)
    with pytest.raises(ValueError, match=r"num_heads=3; 1, 2, 4, 8 would fit"):
        MultiHeadAttention(8, 3)
