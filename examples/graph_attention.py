"""Attention on a real graph: who sided with whom when a karate club split (Zachary, 1977).

Only the two leaders of 34 members are labelled; the task is to predict the side of the others. A member is
described only by its number, so all information about the other 32 is in the 78 friendships. Attention along
friendships can use it. Attention among all members cannot, and neither can a model without mixing. The
script trains one network with three mixers and 20 seeds each. The data come with networkx, on which torch
depends.

$ python examples/graph_attention.py
"""

from collections.abc import Callable

import networkx
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from vision import Grid
from vision.mixers import GraphAttention, Identity, SelfAttention

WIDTH, STEPS, SEEDS = 16, 50, 20

club = networkx.karate_club_graph()
sides = torch.tensor([int(club.nodes[member]["club"] == "Officer") for member in club])
friends = torch.tensor(list(club.edges)).T
edges = torch.cat((friends, friends.flip(0)), dim=1)  # (2, E), both ways
nodes = Grid(1, len(club))
leaders, others = torch.tensor([0, 33]), torch.tensor([*range(1, 33)])


def accuracy(mixer: Callable[[], nn.Module], seed: int) -> float:
    """Train on the two leaders and return the accuracy on the other members."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(34, WIDTH), mixer(), nn.ELU(), mixer(), nn.Linear(WIDTH, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    members = torch.eye(34).unsqueeze(0)  # (B, N, C): one graph, and each member's number
    for _ in range(STEPS):
        loss = cross_entropy(model(members)[0, leaders], sides[leaders])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        correct = model(members)[0].argmax(dim=1) == sides
    return float(correct[others].float().mean())


MIXERS: dict[str, Callable[[], nn.Module]] = {
    "attention along friendships": lambda: GraphAttention(WIDTH, nodes, edges=edges),
    "attention among all members": lambda: SelfAttention(WIDTH, nodes),
    "no mixing": lambda: Identity(WIDTH, nodes),
}
print(f"{len(others)} members, {int(sides[others].sum())} of them with the officer; n={SEEDS} seeds")
for name, make in MIXERS.items():
    accuracies = [accuracy(make, seed) for seed in range(SEEDS)]
    print(f"{name}: {sum(accuracies) / SEEDS:.3f}, from {min(accuracies):.3f} to {max(accuracies):.3f}")
