"""The C++ kernel: widths, threads, layouts, a missing compiler, its count of multiply-adds."""

import pytest
import torch
from attention_checks import assert_same, bias_for, qkv, with_gradients
from field_cases import GRID

from vision.attention import attend, kernel
from vision.fields import neighbourhood
from vision.patches import Grid


@pytest.mark.parametrize("batch", [1, 5])
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
    q, k, v = (x.detach().contiguous().requires_grad_() for x in qkv(field))
    expanded = q, k[:1].expand(2, -1, -1, -1), v.mT.contiguous().mT
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
