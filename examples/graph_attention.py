"""Attention on a real graph: who sided with whom when a karate club split (Zachary, 1977).

Only the two leaders of 34 members are labelled, and all that is known of the others are 78 friendships.
Attention along friendships can use them. Attention among all members cannot.

$ python examples/graph_attention.py
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import networkx
import torch
from torch.nn import ELU, Linear, Sequential
from torch.nn.functional import cross_entropy

from vision import Grid, create_mixer

club = networkx.karate_club_graph()
sides = torch.tensor([int(club.nodes[member]["club"] == "Officer") for member in club])
friends = torch.tensor(list(club.edges)).T
edges = torch.cat((friends, friends.flip(0)), dim=1)  # (2, E), both ways
members = torch.eye(34).unsqueeze(0)  # (B, N, C): one graph, and each member's number
leaders, others = torch.tensor([0, 33]), torch.arange(1, 33)


def accuracy(seed: int, mixer: str, **options: torch.Tensor) -> float:
    """Train on the leaders and return the accuracy on the others."""
    torch.manual_seed(seed)
    first, second = (create_mixer(mixer, 16, Grid(1, 34), **options) for _ in range(2))
    model = Sequential(Linear(34, 16), first, ELU(), second, Linear(16, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(50):
        optimizer.zero_grad()
        cross_entropy(model(members)[0, leaders], sides[leaders]).backward()
        optimizer.step()
    return float((model(members)[0].argmax(dim=1) == sides)[others].double().mean())


for mixer, options in (("graph_attention", {"edges": edges}), ("self_attention", {}), ("identity", {})):
    print(f"{mixer}: {sum(accuracy(seed, mixer, **options) for seed in range(20)) / 20:.3f} of 32 members")
