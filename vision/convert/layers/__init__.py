"""What layers become: attention with one key for each query, or with a window of keys."""

from vision.convert.layers.base import AttentionLayer as AttentionLayer
from vision.convert.layers.base import attention_layers as attention_layers
from vision.convert.layers.base import set_explicit_attention as set_explicit_attention
from vision.convert.layers.convolution import ConvolutionAttention as ConvolutionAttention
from vision.convert.layers.geometry import AdaptiveWindow as AdaptiveWindow
from vision.convert.layers.geometry import Size as Size
from vision.convert.layers.geometry import Window as Window
from vision.convert.layers.global_average import GlobalAverage as GlobalAverage
from vision.convert.layers.global_average import OnTokens as OnTokens
from vision.convert.layers.low_rank import MinimalConvolutionAttention as MinimalConvolutionAttention
from vision.convert.layers.pooling import AverageAttention as AverageAttention
from vision.convert.layers.pooling import MaximumAttention as MaximumAttention
from vision.convert.layers.positional_heads import heads_by_layer as heads_by_layer
