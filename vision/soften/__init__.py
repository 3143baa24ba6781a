"""Soft convolutions: a CNN whose kernels start as convolutions and learn their receptive fields."""

from vision.soften.error_bound import error_bound as error_bound
from vision.soften.error_bound import soft_errors as soft_errors
from vision.soften.error_bound import weight_on_target as weight_on_target
from vision.soften.registry import is_softened as is_softened
from vision.soften.registry import start_from as start_from
from vision.soften.soft_convolution import soft_convolution as soft_convolution
from vision.soften.soft_layer import SoftConvolution as SoftConvolution
from vision.soften.soften import soften as soften
from vision.soften.soften import softened_layers as softened_layers
