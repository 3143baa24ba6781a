"""Any CNN as masked attention with the same outputs, and back again."""

from vision.convert.conversion import as_attention as as_attention
from vision.convert.conversion import attention_layers as attention_layers
from vision.convert.conversion import set_explicit as set_explicit
from vision.convert.layers.base import AttentionLayer as AttentionLayer
from vision.convert.layers.convolution import ConvolutionAttention as ConvolutionAttention
from vision.convert.layers.low_rank import heads_by_layer as heads_by_layer
from vision.convert.saved import load_converted as load_converted
from vision.convert.saved import save_converted as save_converted
from vision.convert.summary import ConversionSummary as ConversionSummary
from vision.convert.verify import Difference as Difference
from vision.convert.verify import layer_differences as layer_differences
from vision.convert.verify import logits_difference as logits_difference
