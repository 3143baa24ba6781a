"""The models and images of `vision inspect`.

>>> read_inputs(ModelChoice("field_vit"), data=None, most=8, against="field_cnn").models  # doctest: +SKIP
{"field_vit": ..., "field_cnn": ...}
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vision import inspection
from vision.cli.images import (
    SEED,
    image_files,
    noise,
    normalize,
    read_images,
    resized,
    spread_indices,
    statistics,
)
from vision.cli.model_arguments import ModelChoice
from vision.cli.run_data import is_run, run_inputs
from vision.cli.stderr import tell
from vision.cli.weights import build_with_weights
from vision.convert import CONVERSION, ConversionSummary, as_attention, input_shape, load_converted
from vision.dynamic import JsonObject
from vision.provenance import provenance
from vision.results import RESULT
from vision.text import one_line

NOISE = f"noise (seed {SEED})"
FEW_IMAGES = 8  # for all figures but CKA


@dataclass(frozen=True)
class InspectionInputs:
    """One or two models and the images to look at.

    Attributes:
        models: by the name that figures give them; the first, and at most one to show next to it.
        images: (B, C, H, W), normalized.
        pixels: the same in [0, 1], or None if the images are noise.
        weights: one line for each model that describes its weights.
        description: what the images are.
    """

    models: dict[str, nn.Module]
    images: Tensor
    pixels: Tensor | None
    weights: list[str]
    description: str

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.images.shape[2], self.images.shape[3]

    def few_images(self) -> Tensor:
        """Return up to 8 of the images, evenly spaced."""
        return self.images[spread_indices(len(self.images), FEW_IMAGES)]

    def notes(self, images: int = 0, more: str = "", *, models: int = 1) -> str:
        """Return the small print of a figure: weights, number of images, versions and commit."""
        record = provenance()
        made = f"torch {record['versions']['torch']}; commit {str(record['commit'])[:10]}"
        counted = f"{images} images of {self.description}{more}; " if images else ""
        return "; ".join([*self.weights[:models], f"{counted}{made}"])


def read_inputs(
    choice: ModelChoice, *, data: Path | None, most: int, against: str | None
) -> InspectionInputs:
    """Build the models, as attention where they are CNNs, and read up to `most` images.

    Without `data` these are test images of the first model, if it is of a run, and noise otherwise.

    Raises:
        ValueError: an option is wrong, or the models do not take the same images.
        FileNotFoundError: a file or folder that an option names does not exist.
    """
    files = None if data is None else image_files(data, most)
    name, input_size = choice.name, choice.input_size
    model, note = _model(choice)
    shape = _shape(model, input_size)
    description = NOISE if data is None else data.absolute().name
    pixels = None if files is None else read_images(files, shape)
    if files is None and is_run(Path(name)):
        pixels, description = _test_images(Path(name), shape, most)
    images = noise(shape, most) if pixels is None else normalize(pixels, model)
    models, weights = {_short_name(name): model}, [_weights(name, note)]
    if against is not None and against != name:
        other, note = _model(choice._replace(name=against, checkpoint=None))
        if _shape(other, input_size) != shape:
            raise ValueError(
                f"--against needs a model for images of {shape} (C, H, W), got "
                f"{_shape(other, input_size)}; give --input-size"
            )
        short = _short_name(against)
        models[against if short in models else short] = other
        weights.append(_weights(against, note))
    inspected = {short: _as_attention(one, images[:1], shape) for short, one in models.items()}
    for original, converted in zip(models.values(), inspected.values(), strict=True):
        renormalize_inputs(converted, shape[0], like=model, own=original)
    return InspectionInputs(inspected, images, pixels, weights, description)


def renormalize_inputs(model: nn.Module, channels: int, *, like: nn.Module, own: nn.Module) -> None:
    """Let a model that gets images normalized for `like` see them normalized for its `own` original."""
    (mean, std), (own_mean, own_std) = statistics(like, channels), statistics(own, channels)
    if torch.equal(mean, own_mean) and torch.equal(std, own_std):
        return

    def renormalize(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return ((inputs[0] * std + mean - own_mean) / own_std, *inputs[1:])

    model.register_forward_pre_hook(renormalize)


def _test_images(run: Path, shape: tuple[int, ...], most: int) -> tuple[Tensor | None, str]:
    """Return up to `most` test images of a run in [0, 1] and what they are; None if they cannot be read."""
    try:
        inputs = run_inputs(run)
    except (ValueError, OSError) as error:
        tell(f"the test images of {run} cannot be read, so noise takes their place: {one_line(error)}")
        return None, NOISE
    chosen = inputs.test.pick(torch.tensor(spread_indices(len(inputs.test), most)))
    pixels = torch.stack([resized(image, shape) for image in chosen.in_memory()])
    return pixels, f"the test split of {inputs.config.name}"


def _model(choice: ModelChoice) -> tuple[nn.Module, str]:
    name = choice.name
    if (Path(name) / CONVERSION).is_file():
        if choice.checkpoint is not None or choice.pretrained:
            raise ValueError(
                f"{name} is a converted model with its weights; leave out --checkpoint and --pretrained"
            )
        return load_converted(name), f"{name}: converted, with its weights"
    built = build_with_weights(choice)
    return built.model.eval(), built.note


def _shape(model: nn.Module, input_size: int | None) -> tuple[int, ...]:
    """Return (C, H, W) of the images; a converted model has the shape that it was converted for."""
    conversion: ConversionSummary | None = getattr(model, "conversion", None)
    return input_shape(model, input_size if conversion is None else input_size or conversion.input_shape)


def _as_attention(model: nn.Module, image: Tensor, shape: tuple[int, ...]) -> nn.Module:
    """Return the model, converted unless it is already or attention alone mixes its tokens."""
    if hasattr(model, "conversion"):
        return model
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    cuts_patches = all(conv.kernel_size in (conv.stride, (1, 1)) for conv in convolutions)
    if cuts_patches and not inspection.attention_distance(model, image).empty:
        return model
    return as_attention(model, shape)


def _record(name: str) -> JsonObject | None:
    file = Path(name) / RESULT
    return json.loads(file.read_text()) if file.is_file() else None


def _short_name(name: str) -> str:
    """Return a name for titles: the model's name, or label, size and seed of a run."""
    run = _record(name)
    return name if run is None else f"{run['label']} ({run['train_size']:,} images, seed {run['seed']})"


def _weights(name: str, note: str) -> str:
    """Return how a run was trained, or the note that came with the weights."""
    run = _record(name)
    if run is None:
        return f"{name}: {note.partition(';')[0]}"
    return (
        f"{_short_name(name)}: one run on {run['data']}, {run['steps']:,} steps, "
        f"test accuracy {100 * run['test_accuracy']:.1f}%, commit {str(run['commit'])[:10]}"
    )
