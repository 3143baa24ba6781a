"""The settings of the model."""

from dataclasses import dataclass, field

from vision.argument_types import check_type
from vision.config.keywords import settings
from vision.dynamic import Arguments


@settings("model")
@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """Which model, by its name in timm's registry, and its arguments.

    Attributes:
        name: any name that timm.create_model accepts, including those of this package; see `vision models`.
        label: the name in folders and plots; null uses `name`.
        module: a Python module to import first, for models of your own.
        init_from: weights that the model starts with: the folder of a finished run, local-dir:FOLDER,
            hf-hub:NAME, or a .safetensors, .pth or .pt file. null starts from random ones.
        init_sha256: SHA-256 of these weights, which a run fills in; given, others are refused.
        pretrained: start with the weights that timm publishes for `name`.
        kwargs: further arguments of the model's constructor. img_size, in_chans and num_classes come
            from the data.
    """

    name: str
    label: str | None = None
    module: str | None = None
    init_from: str | None = None
    init_sha256: str | None = None
    pretrained: bool = False
    kwargs: Arguments = field(default_factory=Arguments)

    def __post_init__(self) -> None:
        # timm's own words for the same, which earlier versions passed on to timm.
        check_type("model.name", self.name, str)
        check_type("model.kwargs", self.kwargs, dict)
        self.kwargs = dict(self.kwargs)
        self.pretrained = bool(self.kwargs.pop("pretrained", self.pretrained))
        self.init_from = self.kwargs.pop("checkpoint_path", None) or self.init_from
