"""Models, all in timm's registry: our families, and any other model that timm knows.

>>> arguments = complete_arguments("convnext_atto", img_size=32, in_chans=3, num_classes=10)
>>> model = create_model("convnext_atto", **arguments)
"""

from typing import TYPE_CHECKING

from vision._old_names import old_names
from vision.models.backbone import Backbone as Backbone
from vision.models.checkpoint import load_checkpoint as load_checkpoint
from vision.models.cost import Cost as Cost
from vision.models.cost import cost as cost
from vision.models.plain_cnn import PlainCNN as PlainCNN
from vision.models.registry import check_name as check_name
from vision.models.registry import check_size as check_size
from vision.models.registry import complete_arguments as complete_arguments
from vision.models.registry import complete_derived as complete_derived
from vision.models.registry import create_base as create_base
from vision.models.registry import create_model as create_model
from vision.models.registry import our_models as our_models
from vision.models.resnet import SmallImageResNet as SmallImageResNet
from vision.models.saved import load_model as load_model
from vision.models.saved import save_model as save_model
from vision.models.sources import build_model as build_model
from vision.models.sources import find_model as find_model
from vision.models.start import Start as Start
from vision.models.start import read_published as read_published
from vision.models.start import read_start as read_start
from vision.models.start import start_arguments as start_arguments
from vision.models.start import start_model as start_model
from vision.models.token_grid import cost_warning as cost_warning
from vision.models.token_grid import describe_grid as describe_grid
from vision.models.token_grid import prefix_tokens as prefix_tokens
from vision.models.token_grid import stated_grid as stated_grid
from vision.models.token_grid import token_grid as token_grid

if not TYPE_CHECKING:
    __getattr__ = old_names(__name__, {"too_costly": "vision.models.cost_warning"})
