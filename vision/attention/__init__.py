"""Attention inside a field: `attend`, its backends, and the multi-head module around it.

>>> import torch
>>> from vision.fields import neighbourhood
>>> from vision.patches import Grid
>>> x = torch.randn(2, 4, 64, 16)
>>> attend(x, x, x, neighbourhood(Grid(8, 8), kernel_size=3)).shape
torch.Size([2, 4, 64, 16])
"""

from vision.attention.dispatch import attend as attend
from vision.attention.dispatch import backend_names as backend_names
from vision.attention.multi_head import MultiHeadAttention as MultiHeadAttention
from vision.attention.options import AttentionOptions as AttentionOptions
from vision.attention.options import ContentOptions as ContentOptions
from vision.attention.options import PositionOptions as PositionOptions
from vision.attention.options import check_options as check_options
