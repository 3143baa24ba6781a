"""Causal mixers do not see later tokens."""

import pytest
from mixer_checks import make, tokens

from vision.mixers import (
    LocalAttention,
)
from vision.mixers.truncated_attention import TruncatedAttention


@pytest.mark.parametrize(
    ("mixer", "options"),
    [
        (LocalAttention, {"kernel_size": 5}),
        (TruncatedAttention, {"window": 9}),
        (TruncatedAttention, {"window": 5, "dilation": 3}),
    ],
    ids=str,
)
def test_a_causal_mixer_does_not_see_later_tokens(mixer, options):
    made, both = make(mixer, causal=True, **options), make(mixer, **options)
    x, position = tokens(), 23
    changed = x.clone()
    changed[:, position] += 1
    same = (made(changed) - made(x)).abs().amax((0, 2)) == 0
    assert same[:position].all() and not same[position]
    assert not ((both(changed) - both(x)).abs().amax((0, 2)) == 0)[:position].all()
