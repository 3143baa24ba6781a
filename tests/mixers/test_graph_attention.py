"""Attention on given graphs, on the grid's graph, and among nearest tokens."""

import pytest
import torch
from field_cases import edges_of
from torch import nn

from vision.fields import full, neighbourhood
from vision.mixers import (
    LocalAttention,
    SelfAttention,
)
from vision.mixers.graph_attention import GraphAttention, nearest
from vision.patches import Grid

GRID = Grid(4, 5)


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("edges", ["grid8", edges_of(neighbourhood(GRID, 3))], ids=["grid8", "edges"])
def test_attention_on_the_grids_graph_is_local_attention(edges):
    local = LocalAttention(8, GRID, dtype=torch.float64)
    mixer = GraphAttention(8, GRID, edges=edges, dtype=torch.float64)
    mixer.load_state_dict(local.state_dict())
    x = tokens(2, 20, 8)
    assert mixer.field is not None
    assert torch.equal(mixer.field.mask(), neighbourhood(GRID, 3).mask())
    torch.testing.assert_close(mixer(x), local(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(mixer.attention_map(x), local.attention_map(x), rtol=0, atol=1e-12)


def test_without_self_loops_no_token_reads_itself():
    away = ~torch.eye(20, dtype=torch.bool)
    grid8 = GraphAttention(8, GRID, self_loops=False)
    assert grid8.field is not None
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
    jacobian = torch.as_tensor(
        torch.autograd.functional.jacobian(lambda x: mixer(x).sum(-1), tokens(1, 3, 8))
    )
    assert (jacobian[0, :, 0].abs().sum(-1) > 0).tolist() == [[False] * 3, [True, False, False], [False] * 3]
    assert torch.equal(mixer(tokens(1, 3, 8))[0, 0], mixer.proj.bias)  # no edge leads there


def test_the_order_of_nodes_has_no_effect():
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
    assert not torch.equal(weights[0] > 0, weights[1] > 0)  # each image has another graph


def test_a_token_is_its_own_nearest_even_among_equals():
    index = nearest(torch.ones(2, 6, 4), 3)
    assert torch.equal(index[..., 0], torch.arange(6).expand(2, -1))
    others = nearest(torch.ones(2, 6, 4), 5, self_loops=False).sort(dim=-1).values
    assert all(i not in others[0, i] and len(set(others[0, i].tolist())) == 5 for i in range(6))


def test_errors_of_graph_attention():
    with pytest.raises(ValueError, match=r"grid8, knn or a tensor \(2, E\); got 'ring'"):
        GraphAttention(8, GRID, edges="ring")
    with pytest.raises(ValueError, match=r"from 1 to 20 .*neighbours=21"):
        GraphAttention(8, GRID, edges="knn", neighbours=21)
    with pytest.raises(ValueError, match=r"from 1 to 19 .*neighbours=20"):
        GraphAttention(8, GRID, edges="knn", neighbours=20, self_loops=False)
    with pytest.raises(ValueError, match=r"0 to 19 for 20 nodes, got 0 to 20"):
        GraphAttention(8, GRID, edges=torch.tensor([[0], [20]]))
    with pytest.raises(ValueError, match=r"cannot serve this call.*not given by offsets"):
        GraphAttention(8, GRID, edges="knn", backend="shift")(torch.zeros(1, 20, 8))
