"""Positions: added to the tokens, rotated into queries and keys, or as a bias of the logits.

>>> import torch
>>> from vision.patches import Grid
>>> create_position("sinusoidal", Grid(8, 8), dim=64)(torch.zeros(1, 64, 64)).shape
torch.Size([1, 64, 64])
>>> resize(create_position("learned", Grid(8, 8), dim=64), Grid(12, 12)).pos_embed.shape
torch.Size([1, 144, 64])
"""

from vision.positions.added import POSITIONS as POSITIONS
from vision.positions.added import ConditionalPosition as ConditionalPosition
from vision.positions.added import LearnedPosition as LearnedPosition
from vision.positions.added import SinusoidalPosition as SinusoidalPosition
from vision.positions.added import create_position as create_position
from vision.positions.added import sinusoidal as sinusoidal
from vision.positions.quadratic import QuadraticBias as QuadraticBias
from vision.positions.quadratic import quadratic_scores as quadratic_scores
from vision.positions.relative import RelativeBias as RelativeBias
from vision.positions.resizing import resize as resize
from vision.positions.rotary import Rotary as Rotary
