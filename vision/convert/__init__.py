"""Any CNN as masked attention with the same outputs, and back: the nearest CNN of any ViT."""

from typing import TYPE_CHECKING

from vision._old_names import old_names
from vision.convert.conversion import Heads as Heads
from vision.convert.conversion import Pooling as Pooling
from vision.convert.conversion import as_attention as as_attention
from vision.convert.convolution_summary import ConvolutionSummary as ConvolutionSummary
from vision.convert.fold_norms import is_norm as is_norm
from vision.convert.input_shape import input_shape as input_shape
from vision.convert.layer_comparison import Difference as Difference
from vision.convert.layers import AdaptiveWindow as AdaptiveWindow
from vision.convert.layers import AttentionLayer as AttentionLayer
from vision.convert.layers import ConvolutionAttention as ConvolutionAttention
from vision.convert.layers import Window as Window
from vision.convert.layers import attention_layers as attention_layers
from vision.convert.layers import heads_by_layer as heads_by_layer
from vision.convert.layers import set_explicit_attention as set_explicit_attention
from vision.convert.layers.head_convolution import HeadConvolution as HeadConvolution
from vision.convert.nearest_cnn import Calibration as Calibration
from vision.convert.nearest_cnn import as_convolution as as_convolution
from vision.convert.saved import load_converted as load_converted
from vision.convert.saved import save_converted as save_converted
from vision.convert.saved_contents import CONVERSION as CONVERSION
from vision.convert.summary import ConversionSummary as ConversionSummary
from vision.convert.verify import layer_differences as layer_differences
from vision.convert.verify import logits as logits
from vision.convert.verify import logits_difference as logits_difference

if not TYPE_CHECKING:
    __getattr__ = old_names(__name__, {"set_explicit": "vision.convert.set_explicit_attention"})
