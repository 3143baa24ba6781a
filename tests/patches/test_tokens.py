"""Tokens of a wrong shape or type are refused in one sentence, by every mixer."""

import pytest
import torch

from vision import Grid, create_mixer
from vision.mixers import mixer_names

TOKENS = torch.zeros(2, 16, 12)
OURS = [name for name in mixer_names() if name != "identity"]  # which takes any tokens


@pytest.mark.parametrize("name", OURS)
def test_a_mixer_refuses_tokens_of_another_width_number_or_type(name):
    mixer = create_mixer(name, 16, Grid(4, 4))
    for x, message in (
        (TOKENS, r"tokens must be \(B, (N|16), 16\), got shape \(2, 16, 12\)"),
        (torch.zeros(16, 16), r"tokens must be \(B, (N|16), 16\), got shape \(16, 16\)"),
        (torch.zeros(2, 9, 16), r"(tokens must be \(B, 16, 16\)|so q and k need 16 and 16 tokens), got"),
        (torch.zeros(2, 16, 16, dtype=torch.uint8), "tokens must be floating-point numbers, got torch.uint8"),
    ):
        with pytest.raises(ValueError, match=message):
            mixer(x)


def test_what_is_no_tensor_is_named():
    with pytest.raises(ValueError, match=r"tokens must be a Tensor \(B, N, 16\), got list"):
        create_mixer("self_attention", 16, Grid(4, 4))([1, 2])
