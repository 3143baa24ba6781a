"""Token mixers by name: everything between a convolution and self-attention, (B, N, C) -> (B, N, C).

>>> import torch
>>> create_mixer("local_attention", 64, Grid(8, 8), kernel_size=3)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from vision.mixers.contract import check_mixed as check_mixed
from vision.mixers.conv_attention import ConvAttention as ConvAttention
from vision.mixers.convolution import Convolution as Convolution
from vision.mixers.gated_attention import GatedAttention as GatedAttention
from vision.mixers.graph_attention import GraphAttention as GraphAttention
from vision.mixers.identity import Identity as Identity
from vision.mixers.local_attention import LocalAttention as LocalAttention
from vision.mixers.pooling import Pooling as Pooling
from vision.mixers.quadratic_attention import QuadraticAttention as QuadraticAttention
from vision.mixers.recurrent import Recurrent as Recurrent
from vision.mixers.registry import create_mixer as create_mixer
from vision.mixers.registry import default_option as default_option
from vision.mixers.registry import mixer_names as mixer_names
from vision.mixers.registry import option_names as option_names
from vision.mixers.registry import register_mixer as register_mixer
from vision.mixers.self_attention import SelfAttention as SelfAttention
from vision.mixers.static_attention import StaticAttention as StaticAttention
from vision.mixers.truncated_attention import TruncatedAttention as TruncatedAttention
from vision.mixers.window_attention import WindowAttention as WindowAttention

for _name, _mixer in {
    "self_attention": SelfAttention,
    "local_attention": LocalAttention,
    "truncated_attention": TruncatedAttention,
    "window_attention": WindowAttention,
    "gated_attention": GatedAttention,
    "quadratic_attention": QuadraticAttention,
    "static_attention": StaticAttention,
    "conv_attention": ConvAttention,
    "convolution": Convolution,
    "graph_attention": GraphAttention,
    "recurrent": Recurrent,
    "pooling": Pooling,
    "identity": Identity,
}.items():
    register_mixer(_name)(_mixer)
