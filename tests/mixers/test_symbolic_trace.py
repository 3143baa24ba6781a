import pytest
import torch

from vision.mixers import create_mixer, mixer_names
from vision.patches import Grid


@pytest.mark.parametrize("name", mixer_names())
def test_torch_fx_traces_a_mixer_alone(name):
    mixer, x = create_mixer(name, 24, Grid(4, 5)).eval(), torch.randn(2, 20, 24)
    with torch.no_grad():
        torch.testing.assert_close(torch.fx.symbolic_trace(mixer)(x), mixer(x))
