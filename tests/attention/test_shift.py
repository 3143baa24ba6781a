"""The form of shift that tracers record."""

import pytest
from attention_checks import assert_same, bias_for, qkv, with_gradients
from field_cases import BY_OFFSETS

from vision.attention import shift


@pytest.mark.parametrize("name", [name for name, field in BY_OFFSETS.items() if field.mask().any()])
def test_the_traceable_form_of_shift_equals_the_reference(name, monkeypatch):
    field = BY_OFFSETS[name]
    inputs, bias = qkv(field), bias_for(field, "per_offset")
    wanted = with_gradients(inputs, field, bias, backend="reference")
    monkeypatch.setattr(shift, "is_traced", lambda: True)
    assert_same(with_gradients(inputs, field, bias, backend="shift"), wanted)
