"""A trained model as one file for other programs: ONNX, or a torch.export program.

>>> export(load("outputs/demo/CNN/n1200/s0"), "cnn.onnx", format="onnx")  # doctest: +SKIP
"""

import json
import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from vision.argument_types import checked
from vision.dynamic import JsonObject
from vision.results import existing_path
from vision.reuse.any_size import dynamic_sides, for_any_size, other_size, sides
from vision.reuse.trained_model import TrainedModel
from vision.text import first_line

FORMATS = ("onnx", "torch")
ENDINGS = {"onnx": ".onnx", "torch": ".pt2"}
TOLERANCE = 1e-4  # of the logits, relative to the largest
METADATA = "vision.json"  # in a program of torch.export
BATCHES = (1, 3)


class ExportedFile(NamedTuple):
    """What was written, and by how much it differs from the model.

    Attributes:
        path: the file.
        difference: largest difference of a logit, relative to the largest logit.
        checked: the shapes of the images that it was compared on.
    """

    path: Path
    difference: float
    checked: list[tuple[int, ...]]


@checked
def export(
    trained: TrainedModel, path: str | Path, *, format: str = "onnx", dynamic_size: bool = False
) -> ExportedFile:
    """Write a model as one file, after its outputs have been compared with the model's.

    The file maps normalized images (B, C, H, W), for any B, to logits. The names of the classes and the
    normalization are in it: as metadata of ONNX, or as the extra file vision.json of torch.export.

    Args:
        trained: of `load`.
        path: the file; a file there is replaced.
        format: onnx or torch.
        dynamic_size: accept images of other heights and widths too.

    Raises:
        ValueError: the format is unknown, the path is a folder, or the model is not in float32 on the CPU. Or
            it cannot be exported, or the file would differ from the model. Nothing is written then.
        ModuleNotFoundError: ONNX is not installed.
    """
    check_target(path, format)
    weight = next(trained.model.parameters())
    if (weight.dtype, weight.device.type) != (torch.float32, "cpu"):
        raise ValueError(
            f"a file takes float32 images, got a model of {weight.dtype} on {weight.device}; "
            'trained.model.to("cpu", torch.float32) brings it there'
        )
    path = Path(path)
    trained = for_any_size(trained) if dynamic_size else trained
    model, shape = trained.model.eval(), trained.config["input_size"]
    sizes, axes = [shape], {0: torch.export.Dim.DYNAMIC}
    if dynamic_size:
        sizes += [other_size(shape, sides(model))]
        axes |= dynamic_sides(sides(model))
    with TemporaryDirectory(dir=existing_path(path.parent)) as folder:
        file = Path(folder) / path.name
        checked = [(batch, *size) for size in sizes for batch in BATCHES]
        write = _write_onnx if format == "onnx" else _write_torch
        try:
            run = write(trained, _images(2, shape), file, axes)
            difference = max(_difference(model, run, _images(batch, size)) for batch, *size in checked)
        except ImportError:
            raise
        except Exception as error:  # exporters and their programs raise nearly anything
            raise ValueError(
                f"{type(model).__name__} cannot be exported with {format=}, {dynamic_size=}: {_reason(error)}"
                f"{'; leave out the dynamic size, or load it with another img_size' if dynamic_size else ''}"
            ) from error
        if not difference <= TOLERANCE:
            raise ValueError(
                f"the exported model differs from the model by {difference:.1e} of its largest logit, more "
                f"than {TOLERANCE:.0e}; nothing was written"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, path)
    return ExportedFile(path, difference, checked)


def check_target(path: str | Path, format: str) -> None:
    """Raise a ValueError where `export` could not write, before any work."""
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder; give a file, such as {path}/model{ENDINGS[format]}")
    if Path(path).suffix != ENDINGS[format]:
        raise ValueError(f"a file of {format=} must end in {ENDINGS[format]}, got {path}")
    above = existing_path(Path(path).parent)
    if not above.is_dir():
        raise ValueError(f"{path} cannot be written, as {above} is a file")


def _write_onnx(
    trained: TrainedModel, example: Tensor, file: Path, axes: dict[int, Any]
) -> Callable[[Tensor], Tensor]:
    # Their types are partly unknown. torch.onnx needs onnxscript.
    onnx, runtime, _ = (cast(Any, import_module(name)) for name in ("onnx", "onnxruntime", "onnxscript"))
    cast(Any, torch.onnx).export(
        trained.model,
        (example,),
        file,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=(axes,),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    graph = onnx.load(file)
    for key, value in metadata(trained).items():
        graph.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    onnx.checker.check_model(graph)
    onnx.save(graph, file)
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda images: torch.as_tensor(session.run(None, {"images": images.numpy()})[0])


def _write_torch(
    trained: TrainedModel, example: Tensor, file: Path, axes: dict[int, Any]
) -> Callable[[Tensor], Tensor]:
    program = torch.export.export(trained.model, (example,), dynamic_shapes=(axes,))
    torch.export.save(program, file, extra_files={METADATA: json.dumps(metadata(trained))})
    return torch.export.load(file).module()


def metadata(trained: TrainedModel) -> JsonObject:
    """Return what a program needs to know of an exported model besides its graph."""
    config = trained.config
    return {
        "class_names": list(trained.class_names),
        **{key: list(config[key]) for key in ("input_size", "mean", "std")},
        **{key: config[key] for key in ("interpolation", "crop_pct", "crop_mode")},
        "inputs": "images (B, C, H, W) float32: pixels in [0, 1], minus mean, divided by std",
        "outputs": "logits (B, num_classes); their softmax is the probability of each class",
    }


def _images(batch: int, shape: tuple[int, ...] | list[int]) -> Tensor:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))


@torch.no_grad()
def _difference(model: Callable[[Tensor], Tensor], run: Callable[[Tensor], Tensor], images: Tensor) -> float:
    expected, found = model(images), run(images)
    return float((found - expected).abs().max() / expected.abs().max())


def _reason(error: BaseException) -> str:
    """Return the first line of what an error began with; exporters add pages of advice to it."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = re.sub(r"\x1b\[[\d;]*m", "", first_line(error))  # without colours
    return f"{type(error).__name__}: {line:.200}"
