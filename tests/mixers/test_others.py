"""Mixers besides convolution and attention on a grid: recurrent, graph, pooling, depthwise."""

import pytest
import torch
from torch import nn

from vision.fields import Field, full, neighbourhood, tiled
from vision.fields.graph import graph
from vision.mixers import LocalAttention, SelfAttention, create_mixer
from vision.mixers.graph_attention import GraphAttention, nearest
from vision.mixers.pooling import Pooling
from vision.mixers.recurrent import Recurrent
from vision.patches import Grid

GRID = Grid(4, 5)


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def edges_of(field: Field) -> torch.Tensor:
    """Return (2, E): key and query of each pair that a field allows, ordered by query, then by key."""
    return field.mask().nonzero().T.flip(0)


# Recurrent


def by_cells(network: nn.LSTM | nn.GRU, x: torch.Tensor) -> torch.Tensor:
    """(B, N, C) -> (B, N, 2 * hidden): one token after the other, from either end."""
    kind = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}[type(network)]
    sides = []
    for end, order in (("", range(x.shape[1])), ("_reverse", range(x.shape[1] - 1, -1, -1))):
        cell = kind(network.input_size, network.hidden_size, dtype=x.dtype)
        cell.load_state_dict({name: getattr(network, f"{name}_l0{end}") for name in cell.state_dict()})
        state, out = None, {}
        for place in order:
            state = cell(x[:, place], state)
            out[place] = state[0] if isinstance(state, tuple) else state
        sides.append(torch.stack([out[place] for place in range(x.shape[1])], dim=1))
    return torch.cat(sides, dim=-1)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_is_its_cells_one_token_after_the_other(kind):
    x = tokens(2, 20, 6)
    mixer = Recurrent(6, GRID, kind=kind, order="sequence", hidden=2, dtype=torch.float64)
    torch.testing.assert_close(mixer(x), mixer.proj(by_cells(mixer.along, x)), rtol=0, atol=1e-12)
    mixer = Recurrent(6, GRID, kind=kind, hidden=2, dtype=torch.float64)
    read = {}
    for row in range(4):
        read[row] = by_cells(mixer.along, x[:, 5 * row : 5 * row + 5])
    wanted = torch.zeros(2, 20, 4, dtype=torch.float64)
    for col in range(5):
        wanted[:, col::5] = by_cells(mixer.down, torch.stack([read[row][:, col] for row in range(4)], dim=1))
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


# Graphs


FIELDS = {
    "full": full(GRID),
    "3x3": neighbourhood(GRID, 3),
    "causal": neighbourhood(GRID, 3, causal=True),
    "tiles": tiled(GRID, 3, shift=1),
    "mask": Field(GRID, GRID, allowed=torch.rand(20, 20, generator=torch.Generator().manual_seed(0)) < 0.2),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_its_edges(name):
    field = FIELDS[name]
    edges = edges_of(field)
    shuffled = torch.cat((edges, edges[:, :3]), dim=1)[:, torch.randperm(edges.shape[1] + 3)]
    again = graph(shuffled, GRID)
    assert torch.equal(again.mask(), field.mask()) and again.queries == GRID
    looped = graph(shuffled.int(), 20, self_loops=True)
    assert torch.equal(looped.mask(), field.mask() | torch.eye(20, dtype=torch.bool))
    assert looped.keys == Grid(1, 20)


def test_a_graph_without_edges_allows_nothing():
    assert not graph(torch.zeros(2, 0, dtype=torch.long), 3).mask().any()


@pytest.mark.parametrize("edges", ["grid8", edges_of(neighbourhood(GRID, 3))], ids=["grid8", "edges"])
def test_attention_on_the_grids_graph_is_local_attention(edges):
    local = LocalAttention(8, GRID, dtype=torch.float64)
    mixer = GraphAttention(8, GRID, edges=edges, dtype=torch.float64)
    mixer.load_state_dict(local.state_dict())
    x = tokens(2, 20, 8)
    assert torch.equal(mixer.field.mask(), neighbourhood(GRID, 3).mask())
    torch.testing.assert_close(mixer(x), local(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(mixer.attention_map(x), local.attention_map(x), rtol=0, atol=1e-12)


def test_without_self_loops_no_token_reads_itself():
    away = ~torch.eye(20, dtype=torch.bool)
    grid8 = GraphAttention(8, GRID, self_loops=False)
    assert torch.equal(grid8.field.mask(), neighbourhood(GRID, 3).mask() & away)
    knn = GraphAttention(8, GRID, edges="knn", neighbours=19, self_loops=False)
    assert torch.equal(knn.attention_map(torch.randn(1, 20, 8))[0, 0] > 0, away)


def test_all_neighbours_are_self_attention():
    attention = SelfAttention(8, GRID, dtype=torch.float64)
    x = tokens(2, 20, 8)
    for edges in ("knn", edges_of(full(GRID))):
        mixer = GraphAttention(8, GRID, edges=edges, neighbours=20, dtype=torch.float64)
        mixer.load_state_dict(attention.state_dict())
        torch.testing.assert_close(mixer(x), attention(x), rtol=0, atol=1e-12)


def test_an_edge_leads_from_the_key_to_the_query():
    mixer = GraphAttention(8, Grid(1, 3), edges=torch.tensor([[0], [1]]), self_loops=False)
    mixer = mixer.double()
    jacobian = torch.autograd.functional.jacobian(lambda x: mixer(x).sum(-1), tokens(1, 3, 8))
    assert (jacobian[0, :, 0].abs().sum(-1) > 0).tolist() == [[False] * 3, [True, False, False], [False] * 3]
    assert torch.equal(mixer(tokens(1, 3, 8))[0, 0], mixer.proj.bias)  # no edge leads there


def test_nodes_have_no_order_but_for_their_edges():
    generator = torch.Generator().manual_seed(3)
    edges, order = torch.randint(0, 34, (2, 90), generator=generator), torch.randperm(34, generator=generator)
    renamed = order.argsort()[edges]  # node order[i] becomes node i
    one, other = (GraphAttention(8, Grid(1, 34), edges=e, dtype=torch.float64) for e in (edges, renamed))
    other.load_state_dict(one.state_dict())
    x = tokens(2, 34, 8)
    torch.testing.assert_close(other(x[:, order]), one(x)[:, order], rtol=0, atol=1e-12)
    assert not torch.allclose(one(x[:, order]), one(x)[:, order])


@pytest.mark.parametrize("backend", ["auto", "dense", "gather", "reference"])
def test_attention_to_the_nearest_tokens_one_by_one(backend):
    options = {"edges": "knn", "neighbours": 4, "num_heads": 2, "backend": backend}
    mixer = GraphAttention(6, GRID, **options, dtype=torch.float64)
    x = tokens(3, 20, 6).requires_grad_()
    weights, wanted = mixer.attention_map(x), torch.zeros(3, 20, 6, dtype=torch.float64)
    q, k, v = (part.unflatten(-1, (2, 3)) for part in mixer.qkv(x).chunk(3, dim=-1))
    for b in range(3):
        for i in range(20):
            cosine = nn.functional.cosine_similarity(x[b, i].expand(20, -1), x[b], dim=-1)
            cosine = cosine.tolist()
            near = sorted(range(20), key=lambda j, c=cosine: -c[j])[:4]
            assert i in near
            for h in range(2):
                share = (k[b, near, h] @ q[b, i, h] / 3**0.5).softmax(0)
                wanted[b, i, 3 * h : 3 * h + 3] = share @ v[b, near, h]
                torch.testing.assert_close(weights[b, h, i, near], share, rtol=0, atol=1e-12)
                assert int((weights[b, h, i] > 0).sum()) == 4
    wanted = mixer.proj(wanted)
    got = mixer(x)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)
    direction = tokens(3, 20, 6, seed=1)
    gradients = [torch.autograd.grad((y * direction).sum(), x, retain_graph=True)[0] for y in (got, wanted)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
    assert not torch.equal(weights[0] > 0, weights[1] > 0)  # another graph for another image


def test_a_token_is_its_own_nearest_even_among_equals():
    index = nearest(torch.ones(2, 6, 4), 3)
    assert torch.equal(index[..., 0], torch.arange(6).expand(2, -1))
    others = nearest(torch.ones(2, 6, 4), 5, self_loops=False).sort(dim=-1).values
    assert all(i not in others[0, i] and len(set(others[0, i].tolist())) == 5 for i in range(6))


# Pooling and depthwise convolution


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 9])
def test_pooling_is_the_mean_over_a_clipped_neighbourhood(kernel_size):
    x = tokens(2, 20, 6)
    shares = neighbourhood(GRID, kernel_size).mask().double()
    mean = shares / shares.sum(1, keepdim=True) @ x
    pooling = Pooling(6, GRID, kernel_size=kernel_size)
    torch.testing.assert_close(pooling(x), mean - x, rtol=0, atol=1e-12)
    pooling = Pooling(6, GRID, kernel_size=kernel_size, subtract=False)
    torch.testing.assert_close(pooling(x), mean, rtol=0, atol=1e-12)
    assert not list(pooling.parameters())


def test_depthwise_means_a_group_for_each_channel_at_any_width():
    for dim in (6, 10):
        conv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim, dtype=torch.float64)
        x = tokens(2, 20, dim)
        wanted = conv(x.transpose(1, 2).unflatten(2, (4, 5))).flatten(2).transpose(1, 2)
        for name, options in (("convolution", {}), ("conv_attention", {"explicit": True})):
            mixer = create_mixer(name, dim, GRID, depthwise=True, dtype=torch.float64, **options)
            mixer.load_state_dict(conv.state_dict())
            torch.testing.assert_close(mixer(x), wanted, rtol=0, atol=1e-12)


def test_errors_say_what_would_be_right():
    with pytest.raises(ValueError, match="lstm, gru; got 'rnn'"):
        Recurrent(8, GRID, kind="rnn")
    with pytest.raises(ValueError, match="rows_and_columns, sequence; got 'snake'"):
        Recurrent(8, GRID, order="snake")
    with pytest.raises(ValueError, match="at least 1, got hidden=0"):
        Recurrent(8, GRID, hidden=0)
    with pytest.raises(ValueError, match=r"grid8, knn or a tensor \(2, E\); got 'ring'"):
        GraphAttention(8, GRID, edges="ring")
    with pytest.raises(ValueError, match=r"from 1 to 20 .*neighbours=21"):
        GraphAttention(8, GRID, edges="knn", neighbours=21)
    with pytest.raises(ValueError, match=r"from 1 to 19 .*neighbours=20"):
        GraphAttention(8, GRID, edges="knn", neighbours=20, self_loops=False)
    with pytest.raises(ValueError, match=r"0 to 19 for 20 nodes, got 0 to 20"):
        GraphAttention(8, GRID, edges=torch.tensor([[0], [20]]))
    with pytest.raises(ValueError, match=r"shape \(2, E\).*got torch.int64 of shape \(3, 2\)"):
        graph(torch.zeros(3, 2, dtype=torch.long), 4)
    with pytest.raises(ValueError, match=r"must be integers.*got torch.float32"):
        graph(torch.zeros(2, 3), 4)
    with pytest.raises(ValueError, match=r"cannot serve this call.*not given by offsets"):
        GraphAttention(8, GRID, edges="knn", backend="shift")(torch.zeros(1, 20, 8))
    with pytest.raises(ValueError, match="must be odd"):
        Pooling(8, GRID, kernel_size=2)
    with pytest.raises(ValueError, match=r"groups of 8.*groups=2"):
        create_mixer("convolution", 8, GRID, groups=2, depthwise=True)
