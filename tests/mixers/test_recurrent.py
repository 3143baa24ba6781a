"""Recurrent networks over tokens against their cells, one token after the other."""

import pytest
import torch
from torch import nn

from vision.mixers.recurrence import Recurrence
from vision.mixers.recurrent import Recurrent
from vision.patches import Grid

GRID = Grid(4, 5)


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_cells(network: nn.Module | None, x: torch.Tensor) -> torch.Tensor:
    """(B, N, C) -> (B, N, 2 * hidden): one token after the other, from either end."""
    assert isinstance(network, Recurrence)
    kind = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell}[network.mode]
    sides = []
    for end, order in (("", range(x.shape[1])), ("_reverse", range(x.shape[1] - 1, -1, -1))):
        cell = kind(network.input_size, network.hidden_size, dtype=x.dtype)
        cell.load_state_dict({name: getattr(network, f"{name}_l0{end}") for name in cell.state_dict()})
        state, out = None, {}
        for position in order:
            state = cell(x[:, position], state)
            out[position] = state[0] if isinstance(state, tuple) else state
        sides.append(torch.stack([out[position] for position in range(x.shape[1])], dim=1))
    return torch.cat(sides, dim=-1)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_is_its_cells_one_token_after_the_other(kind):
    x = tokens(2, 20, 6)
    mixer = Recurrent(6, GRID, kind=kind, order="sequence", hidden=2, dtype=torch.float64)
    torch.testing.assert_close(mixer(x), mixer.proj(by_cells(mixer.along, x)), rtol=0, atol=1e-12)
    mixer = Recurrent(6, GRID, kind=kind, hidden=2, dtype=torch.float64)
    rows = {}
    for row in range(4):
        rows[row] = by_cells(mixer.along, x[:, 5 * row : 5 * row + 5])
    wanted = torch.zeros(2, 20, 4, dtype=torch.float64)
    for col in range(5):
        wanted[:, col::5] = by_cells(mixer.down, torch.stack([rows[row][:, col] for row in range(4)], dim=1))
    torch.testing.assert_close(mixer(x), mixer.proj(wanted), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kind", "gates"), [("lstm", 4), ("gru", 3)])
def test_parameters_of_recurrent_by_hand(kind, gates):
    dim, hidden = 10, 7

    def network(width: int) -> int:
        return 2 * gates * hidden * (width + hidden + 2)

    back = 2 * hidden * dim + dim
    for order, wanted in (
        ("sequence", network(dim) + back),
        ("rows_and_columns", network(dim) + network(2 * hidden) + back),
    ):
        mixer = Recurrent(dim, GRID, kind=kind, order=order, hidden=hidden)
        assert sum(p.numel() for p in mixer.parameters()) == wanted
    assert Recurrent(dim, GRID).proj.in_features == dim


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("order", ["rows_and_columns", "sequence"])
def test_one_compiled_graph_has_the_same_values_and_gradients(kind, order):
    """By torch's own compiler; its graph has the recurrence as one operation, whatever the length."""
    torch.compiler.reset()
    torch.manual_seed(0)
    mixer = Recurrent(6, Grid(8, 8), kind=kind, order=order)
    compiled = torch.compile(mixer, fullgraph=True)
    for batch in (2, 3):
        x = tokens(batch, 64, 6).float().requires_grad_()
        inputs, direction = [x, *mixer.parameters()], tokens(batch, 64, 6, seed=1).float()
        got, wanted = compiled(x), mixer(x)
        torch.testing.assert_close(got, wanted)
        for one, other in zip(
            torch.autograd.grad(got, inputs, direction),
            torch.autograd.grad(wanted, inputs, direction),
            strict=True,
        ):
            torch.testing.assert_close(one, other)


def test_errors_list_kinds_and_orders():
    with pytest.raises(ValueError, match="lstm, gru; got 'rnn'"):
        Recurrent(8, GRID, kind="rnn")
    with pytest.raises(ValueError, match="rows_and_columns, sequence; got 'snake'"):
        Recurrent(8, GRID, order="snake")
    with pytest.raises(ValueError, match="at least 1, got hidden=0"):
        Recurrent(8, GRID, hidden=0)
