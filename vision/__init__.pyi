# The public names of the package, by what they are for. vision/__init__.py imports them from here, lazily.
# Runs: settings in, a record out; many records as a table; a trained model in another project.
from .config import AugmentConfig as AugmentConfig
from .config import DataConfig as DataConfig
from .config import ModelConfig as ModelConfig
from .config import RunConfig as RunConfig
from .config import TrainingConfig as TrainingConfig
from .experiment import run as run
from .results import collect as collect
from .reuse import TrainedModel as TrainedModel
from .reuse import load as load

# Who attends to whom, and attention inside it.
from .attention import MultiHeadAttention as MultiHeadAttention
from .attention import attend as attend
from .fields import Field as Field
from .fields import convolution as convolution
from .fields import full as full
from .fields import graph as graph
from .fields import neighbourhood as neighbourhood
from .fields import tiled as tiled
from .fields import truncated as truncated

# Images as sets of tokens, mixers of tokens, and models of them.
from .mixers import create_mixer as create_mixer
from .mixers import register_mixer as register_mixer
from .models import Backbone as Backbone
from .models import create_model as create_model
from .patches import Grid as Grid
from .patches import PatchEmbed as PatchEmbed
from .patches import patchify as patchify
from .patches import shuffle_patches as shuffle_patches
from .patches import unpatchify as unpatchify

# CNNs as attention, and ViTs as CNNs.
from .convert import as_attention as as_attention
from .convert import as_convolution as as_convolution
from .convert import load_converted as load_converted
from .convert import save_converted as save_converted
from .soften import soft_convolution as soft_convolution

# The rooms, for everything else.
from . import attention as attention
from . import config as config
from . import convert as convert
from . import data as data
from . import fields as fields
from . import inspection as inspection
from . import mixers as mixers
from . import models as models
from . import patches as patches
from . import plots as plots
from . import positions as positions
from . import report as report
from . import results as results
from . import reuse as reuse
from . import soften as soften
from . import statistics as statistics
