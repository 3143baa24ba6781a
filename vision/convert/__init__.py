"""Any CNN as masked attention with the same outputs, and back again."""

from vision.convert.compare import Difference as Difference
from vision.convert.compare import layer_differences as layer_differences
from vision.convert.compare import logits_difference as logits_difference
from vision.convert.conversion import as_attention as as_attention
from vision.convert.conversion import attention_layers as attention_layers
from vision.convert.conversion import set_explicit as set_explicit
from vision.convert.convolution import ConvolutionAttention as ConvolutionAttention
from vision.convert.files import load_converted as load_converted
from vision.convert.files import save_converted as save_converted
from vision.convert.layer import AttentionLayer as AttentionLayer
from vision.convert.minimal import heads_by_layer as heads_by_layer
from vision.convert.release import release as release
from vision.convert.release import released_layers as released_layers
from vision.convert.released import start_from as start_from
from vision.convert.report import Report as Report
from vision.convert.soft import SoftConvolution as SoftConvolution
from vision.convert.soft import soft_convolution as soft_convolution
from vision.convert.soft_error import error_bound as error_bound
from vision.convert.soft_error import soft_errors as soft_errors
from vision.convert.soft_error import weight_on_target as weight_on_target
