"""A model that starts with given weights: of a run, a file, the Hugging Face Hub, or published by timm.

>>> start = read_start("outputs/demo/CNN/n1200/s0")  # doctest: +SKIP
>>> arguments = start_arguments("field_cnn", start, img_size=8, in_chans=1, num_classes=3)  # doctest: +SKIP
>>> model = start_model("field_cnn", arguments, start)  # doctest: +SKIP
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import timm
from timm.models import resolve_pretrained_cfg
from timm.models._builder import _resolve_pretrained_source  # pyright: ignore[reportPrivateUsage]
from timm.models._hub import download_cached_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn

from vision.dynamic import Arguments, JsonObject
from vision.models.checkpoint import mismatch, read_weights
from vision.models.registry import complete_arguments, complete_backbone, completer, create_model
from vision.models.saved import SavedModel, read_saved
from vision.models.small_images import build_on_meta
from vision.patches import Size, padding_of, pair
from vision.saved_files import HUB, download, find_saved
from vision.text import first_line, one_line

SIZES = ("img_size", "in_chans", "num_classes")
PLAIN = "file", "hf_hub_id", "url"  # where timm looks for published weights


@dataclass(frozen=True)
class Start:
    """Weights that a model starts with.

    Attributes:
        weights: their file.
        saved: the model that they were saved with; None for a file of weights alone.
        config: timm's pretrained_cfg, for weights that timm publishes.
    """

    weights: Path
    saved: SavedModel | None = None
    config: JsonObject | None = None

    @property
    def statistics(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation of the images that the weights are for, if they are known."""
        known = self.config if self.saved is None else self.saved.images
        return None if known is None else (list(known["mean"]), list(known["std"]))


def read_start(name: str | Path) -> Start:
    """Find weights, and read what is known of them.

    Args:
        name: the folder of a finished run, local-dir:FOLDER, hf-hub:NAME, or a .safetensors, .pth or .pt
            file.

    Raises:
        ValueError: there are no such weights.
    """
    files = find_saved(name)
    return Start(files.weights, None if files.config is None else read_saved(files.config.parent))


def read_published(name: str, overlay: JsonObject | None = None) -> Start:
    """Find the weights that timm publishes for a model; they are downloaded unless they are cached.

    Args:
        name: a name in timm's registry, perhaps with a tag.
        overlay: `pretrained_cfg_overlay` of `timm.create_model`, such as {"file": FILE}.

    Raises:
        ValueError: there are none, or they cannot be had.
    """
    architecture, _, tag = name.partition(".")
    resolved: Any = resolve_pretrained_cfg(architecture, tag or None, dict(overlay or {}))
    config: JsonObject = resolved.to_dict()
    try:
        source, location = cast(tuple[str, Any], _resolve_pretrained_source(config))
        if source == "hf-hub" and isinstance(location, tuple):
            return Start(download(*cast(tuple[str, str], location)), config=config)
        if source == "hf-hub":
            return Start(find_saved(f"{HUB[0]}{location}").weights, config=config)
        if source == "url":
            return Start(Path(cast(Any, download_cached_file)(location)), config=config)
    except (OSError, ValueError, RuntimeError) as error:
        reason = first_line(error)
        raise ValueError(f"the published weights of {name!r} are not available: {reason}") from error
    if not source:
        raise ValueError(f"timm publishes no weights for {name!r}; see `vision models --pretrained`")
    return Start(find_saved(location).weights, config=config)


def start_arguments(
    name: str, start: Start, *, img_size: Size, in_chans: int, num_classes: int, **given: Any
) -> Arguments:
    """Return all arguments of a model that starts with given weights, for images (B, in_chans, *img_size).

    They are those that the weights were saved with. `params` does not solve widths again: for a file of
    weights alone, it solves those of a model with the file's own channels and classes.

    Args:
        name: a name in timm's registry.
        start: the weights.
        img_size: height and width in pixels, or one number for both.
        in_chans: channels of the images.
        num_classes: width of the head.
        given: further arguments, which replace saved ones.
    """
    sizes = {"img_size": img_size, "in_chans": in_chans, "num_classes": num_classes}
    kept: Arguments = {}
    if start.saved is not None and start.saved.name == _architecture(name, given):
        kept = {key: value for key, value in start.saved.arguments.items() if key not in SIZES}
        given = {key: value for key, value in given.items() if key != "params"}
    elif start.saved is None and given.get("params"):
        kept = complete_arguments(name, **{**sizes, **_own_sizes(name, start, sizes, given)}, **given)
        kept = {key: value for key, value in kept.items() if key not in SIZES}
        given = {key: value for key, value in given.items() if key != "params"}
    patch = None if "patch_size" in given else kept.get("patch_size")
    if patch and completer(name) is complete_backbone and any(padding_of(img_size, pair(patch))):
        kept["dynamic_img_pad"] = True
    return complete_arguments(name, **sizes, **{**kept, **given})


def start_model(name: str, arguments: Arguments, start: Start) -> nn.Module:
    """Build a model with the weights that it starts with; its head is new if the number of classes differs.

    timm adapts the weights to the channels and the size of the images.

    Args:
        name: a name in timm's registry.
        arguments: those of `start_arguments`.
        start: the weights.

    Raises:
        ValueError: weights do not fit; the message lists them.
    """
    known = _known(name, start, arguments)
    # timm is strict only where the number of classes is that of the weights.
    like_saved = {**arguments, "num_classes": known["num_classes"]}
    model = _build(name, like_saved, known, start)
    return model if like_saved == arguments else _build(name, dict(arguments), known, start)


def _build(name: str, arguments: Arguments, known: Arguments, start: Start) -> nn.Module:
    given: Arguments = arguments.pop("pretrained_cfg_overlay", None) or {}
    overlay = {**given, **known}
    saved = {} if start.saved is None else {"pretrained_model_args": start.saved.arguments}
    try:
        return create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **saved, **arguments)
    except (RuntimeError, KeyError) as error:
        wrong = _misfit(name, arguments, start) or one_line(error)
        raise ValueError(f"the weights in {start.weights} do not fit {name}: {wrong}") from error


def _misfit(name: str, arguments: Arguments, start: Start) -> str | None:
    own = {key: tuple(value.shape) for key, value in build_on_meta(name, **arguments).state_dict().items()}
    return mismatch(own, {key: tuple(value.shape) for key, value in read_weights(start.weights).items()})


def _known(name: str, start: Start, arguments: Arguments) -> Arguments:
    """Return what timm has to know of the weights, to adapt them: the overlay of its pretrained_cfg."""
    if start.config is not None:
        return {"num_classes": start.config["num_classes"]}
    known: Arguments = {**dict.fromkeys(PLAIN), "file": str(start.weights)}
    if start.saved is not None:
        return {**known, **start.saved.images, "num_classes": start.saved.num_classes}
    own = _own_sizes(name, start, arguments, arguments)
    return {
        **known,
        "num_classes": own["num_classes"],
        "input_size": (own["in_chans"], *pair(arguments.get("img_size", 224))),
    }


def _own_sizes(name: str, start: Start, sizes: Arguments, given: Arguments) -> Arguments:
    """Return the channels and classes of a file of weights, as far as they follow from its shapes."""
    state = read_weights(start.weights)
    config: Any = timm.get_pretrained_cfg(name)
    found = {key: sizes[key] for key in ("in_chans", "num_classes")}
    head = _first(config and config.classifier, state)
    if head is not None:
        found["num_classes"] = head.shape[0]
    stem = _first(config and config.first_conv, state)
    if stem is not None and stem.ndim == 4:
        found["in_chans"] = stem.shape[1]
    elif stem is not None and completer(name) is complete_backbone:
        sides = {key: sizes[key] for key in ("img_size", "num_classes")}
        plain = {key: value for key, value in given.items() if key not in ("params", *SIZES)}
        patch = pair(complete_arguments(name, **sides, in_chans=1, **plain)["patch_size"])
        found["in_chans"] = max(1, stem.shape[1] // (patch[0] * patch[1]))
    return found


def _first(names: str | tuple[str, ...] | None, state: Mapping[str, Tensor]) -> Tensor | None:
    """Return the weight of the first of some layers that is in a state_dict."""
    layers = (names,) if isinstance(names, str) else names or ()
    found = (state.get(f"{layer}.weight") for layer in layers)
    return next((weight for weight in found if weight is not None), None)


def _architecture(name: str, given: Arguments) -> str:
    """Return whose weights a model starts with: its own, or those of the CNN that it was made from."""
    return str(given.get("cnn", name.partition(".")[0]))
