"""Attention distances of a model as a list, and that of equal attention by hand."""

from itertools import product
from math import dist

from vision.inspection.attention_distance import attention_distance


def distances(model, images):
    return attention_distance(model, images)["distance"].tolist()


def mean_distance_by_hand(rows, cols, pitch):
    """Of attention that is equal on all tokens."""
    places = [((r + 0.5) * pitch[0], (c + 0.5) * pitch[1]) for r, c in product(range(rows), range(cols))]
    return sum(dist(q, k) for q in places for k in places) / len(places) ** 2
