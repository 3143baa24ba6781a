"""Vision transformers against CNNs: images as sets of vectors, CNNs as masked attention, curves over data.

Importing this adds our models to timm's registry.
"""

from vision.attention import MultiHeadAttention as MultiHeadAttention
from vision.attention import attend as attend
from vision.config import RunConfig as RunConfig
from vision.convert import as_attention as as_attention
from vision.convert import load_converted as load_converted
from vision.convert import save_converted as save_converted
from vision.fields import Field as Field
from vision.models import Backbone as Backbone
from vision.models import create_model as create_model
from vision.patches import Grid as Grid
from vision.patches import PatchEmbed as PatchEmbed
from vision.patches import patchify as patchify
from vision.patches import shuffle_patches as shuffle_patches
from vision.patches import unpatchify as unpatchify
from vision.soften import soft_convolution as soft_convolution
