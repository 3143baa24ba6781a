"""What timm's models have in addition to nn.Module, for type checkers: timm declares it nowhere.

>>> import timm
>>> model: TimmModel = timm.create_model("field_vit", img_size=32, params=60_000)
>>> model.num_classes, model.feature_info[0]["reduction"]
(10, 4)
"""

from collections.abc import Sequence
from typing import Protocol, TypedDict

from vision.dynamic import JsonObject


class FeatureInfo(TypedDict):
    """One level of a model's features.

    Attributes:
        num_chs: channels.
        reduction: pixels of the image per position, along each axis.
        module: name of the module that gives them.
    """

    num_chs: int
    reduction: int
    module: str


class TimmModel(Protocol):
    """A model that an entry point of timm's registry built.

    Attributes:
        pretrained_cfg: how images are normalized and where weights come from.
        num_classes: number of outputs.
        in_chans: channels of the images.
        feature_info: its levels of features; timm's transformers may have none.
    """

    pretrained_cfg: JsonObject
    num_classes: int
    in_chans: int
    feature_info: Sequence[FeatureInfo]
