"""Wrong types of arguments: each is refused in one sentence, by every public name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict, Unpack

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

import vision
from vision import DataConfig, Field, Grid, ModelConfig, RunConfig, TrainingConfig
from vision.argument_types import check_type, checked
from vision.reuse import export
from vision.reuse.reading import Reading

GRID = Grid(4, 4)
FIELD = vision.neighbourhood(GRID, 3)
CNN = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()).eval()
VIT = vision.create_model("field_vit", img_size=16, embed_dim=16, depth=1)
IMAGES, Q = torch.zeros(2, 3, 16, 16), torch.zeros(1, 2, 16, 8)
RNG = torch.Generator()


class Wrong(NamedTuple):
    """A call with one wrong value, and how its message begins and ends.

    `wrong` and `got` are two attributes so that neither name hides the other.
    """

    call: Callable[[], object]
    wanted: str
    got: str


def trained() -> vision.TrainedModel:
    config = {"input_size": (3, 16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    return vision.TrainedModel(VIT, tuple("0123456789"), config, Reading())


def config(**changes: Any) -> RunConfig:
    return RunConfig(
        **{"data": DataConfig(source="digits"), "model": ModelConfig(name="field_cnn"), **changes}
    )


def anything(**arguments: Any) -> Any:
    """Arguments of any type, which a type checker would refuse."""
    return arguments


def names(dim: int, grid: Grid, *, device: object = None, dtype: object = None) -> nn.Module:
    raise NotImplementedError


WRONG: dict[str, list[Wrong]] = {
    "AugmentConfig": [
        Wrong(
            lambda: vision.run(config(data=DataConfig(source="digits", augment=anything(flip=1)))),
            "data.augment must be an AugmentConfig",
            "{'flip': 1}",
        ),
    ],
    "DataConfig": [
        Wrong(lambda: DataConfig(**anything(source=3)), "data.source must be a string", "3"),
        Wrong(
            lambda: vision.run(config(data=DataConfig(**anything(source="digits", mean=0.5)))),
            "data.mean must be [a number, ...] or None",
            "0.5",
        ),
    ],
    "ModelConfig": [
        Wrong(lambda: ModelConfig(**anything(name=None)), "model.name must be a string", "None"),
        Wrong(lambda: ModelConfig(**anything(name="x", kwargs="x")), "model.kwargs must be a dict", "'x'"),
    ],
    "TrainingConfig": [
        Wrong(
            lambda: vision.run(config(training=TrainingConfig(**anything(steps="x")))),
            "training.steps must be an integer or None",
            "'x'",
        ),
        Wrong(
            lambda: vision.run(config(training=TrainingConfig(**anything(lr="0.1")))),
            "training.lr must be a number",
            "'0.1'",
        ),
    ],
    "RunConfig": [
        Wrong(lambda: vision.run(config(seed="x")), "seed must be an integer", "'x'"),
        Wrong(lambda: vision.run(config(model="field_cnn")), "model must be a ModelConfig", "'field_cnn'"),
        Wrong(lambda: vision.run(config(training=None)), "training must be a TrainingConfig", "None"),
    ],
    "run": [Wrong(lambda: vision.run(anything(data=1)), "config must be a RunConfig", "{'data': 1}")],
    "collect": [Wrong(lambda: vision.collect(**anything(sweep=3)), "sweep must be a Path or a string", "3")],
    "load": [
        Wrong(lambda: vision.load(**anything(name=3)), "name must be a string or a Path", "3"),
        Wrong(lambda: vision.load("x", **anything(device=[])), "device must be a device or a string", "[]"),
        Wrong(
            lambda: vision.load("x", features_only=True),
            "load returns a trained classifier",
            'features_only=True; timm.create_model("local-dir:FOLDER", pretrained=True, ...) takes it',
        ),
    ],
    "TrainedModel": [
        Wrong(
            lambda: trained().predict(IMAGES, **anything(top="2")), "top must be an integer or None", "'2'"
        ),
        Wrong(lambda: trained().predict(IMAGES, top=True), "top must be an integer or None", "True"),
        Wrong(
            lambda: trained().predict(IMAGES, **anything(batch_size=1.5)),
            "batch_size must be an integer",
            "1.5",
        ),
        Wrong(
            lambda: trained().predictions(IMAGES, **anything(top=1.5)),
            "top must be an integer or None",
            "1.5",
        ),
        Wrong(
            lambda: export(**anything(trained=VIT, path="x.onnx")),
            "trained must be a TrainedModel",
            "Backbone",
        ),
        Wrong(lambda: export(trained(), **anything(path=None)), "path must be a string or a Path", "None"),
        Wrong(
            lambda: export(trained(), "x.onnx", **anything(dynamic_size="yes")),
            "dynamic_size must be True or False",
            "'yes'",
        ),
    ],
    "MultiHeadAttention": [
        Wrong(lambda: vision.MultiHeadAttention(**anything(dim="8")), "dim must be an integer", "'8'"),
        Wrong(
            lambda: vision.MultiHeadAttention(8, **anything(num_heads=None)),
            "num_heads must be an integer",
            "None",
        ),
        Wrong(
            lambda: vision.MultiHeadAttention(8, **anything(field="full")),
            "field must be a Field or None",
            "'full'",
        ),
    ],
    "attend": [
        Wrong(lambda: vision.attend(Q.numpy(), Q, Q), "q must be a Tensor", "ndarray"),  # pyright: ignore
        Wrong(
            lambda: vision.attend(Q, Q, Q, **anything(field=FIELD.mask())),
            "field must be a Field or one per head",
            "Tensor",
        ),
        Wrong(lambda: vision.attend(Q.long(), Q, Q), "q must be floating-point numbers", "torch.int64"),
        Wrong(
            lambda: vision.attend(Q.double(), Q, Q, FIELD, backend="shift"),
            "q, k and v must have one dtype",
            "torch.float64, torch.float32, torch.float32",
        ),
        Wrong(
            lambda: vision.attend(Q, Q, Q.bool()),
            "q, k and v must have one dtype",
            "torch.float32, torch.float32, torch.bool",
        ),
        Wrong(
            lambda: vision.attend(Q, Q.to("meta"), Q),
            "q, k, v and bias must be on one device",
            "cpu, meta, cpu",
        ),
    ],
    "Field": [
        Wrong(lambda: Field(**anything(queries=4, keys=GRID)), "queries of a field must be on a Grid", "4")
    ],
    "full": [
        Wrong(
            lambda: vision.full(**anything(queries=(4, 4))), "queries of a field must be on a Grid", "(4, 4)"
        )
    ],
    "neighbourhood": [
        Wrong(
            lambda: vision.neighbourhood(**anything(grid=(4, 4), kernel_size=3)),
            "grid must be a Grid",
            "(4, 4)",
        ),
        Wrong(
            lambda: vision.neighbourhood(GRID, **anything(kernel_size="3")),
            "kernel_size must be an integer",
            "'3'",
        ),
    ],
    "convolution": [
        Wrong(
            lambda: vision.convolution(GRID, 3, **anything(stride=1.5)),
            "stride must be an integer or (an integer, an integer)",
            "1.5",
        ),
        Wrong(
            lambda: vision.convolution(GRID, **anything(kernel_size=(3,))),
            "kernel_size must be an integer or (an integer, an integer)",
            "(3,)",
        ),
    ],
    "truncated": [
        Wrong(lambda: vision.truncated(GRID, **anything(window=None)), "window must be an integer", "None")
    ],
    "tiled": [Wrong(lambda: vision.tiled(GRID, 2, **anything(shift="1")), "shift must be an integer", "'1'")],
    "graph": [
        Wrong(
            lambda: vision.graph(**anything(edge_index=[[0], [1]], nodes=2)),
            "edge_index must be a Tensor",
            "[[0], [1]]",
        ),
        Wrong(
            lambda: vision.graph(torch.zeros(2, 0), **anything(nodes=(2, 2))),
            "nodes must be an integer or a Grid",
            "(2, 2)",
        ),
    ],
    "create_mixer": [
        Wrong(
            lambda: vision.create_mixer(**anything(name=None, dim=8, grid=GRID)),
            "name must be a string",
            "None",
        ),
        Wrong(
            lambda: vision.create_mixer("pooling", **anything(dim="8", grid=GRID)),
            "dim must be an integer",
            "'8'",
        ),
        Wrong(lambda: vision.create_mixer("pooling", **anything(dim=8, grid=4)), "grid must be a Grid", "4"),
        Wrong(
            lambda: vision.create_mixer("local_attention", 8, GRID, kernel_size="3"),
            "kernel_size of mixer 'local_attention' must be an integer",
            "'3'",
        ),
        Wrong(
            lambda: vision.create_mixer("static_attention", 8, GRID, num_heads="4"),
            "num_heads of mixer 'static_attention' must be an integer",
            "'4'",
        ),
    ],
    "register_mixer": [
        Wrong(
            lambda: vision.register_mixer(**anything(name=nn.Identity)),
            "the name of a mixer must be a string",
            "type",
        ),
        Wrong(lambda: vision.register_mixer(""), "the name of a mixer must not be empty", "''"),
        Wrong(
            lambda: vision.register_mixer("wrong")(*anything(mixer=3).values()),
            "mixer 'wrong' must be a class",
            "3",
        ),
    ],
    "Backbone": [
        Wrong(lambda: vision.Backbone(**anything(embed_dim="8")), "embed_dim must be an integer", "'8'"),
        Wrong(
            lambda: vision.Backbone(**anything(mixer_options="x")),
            "mixer_options must be a dict or None",
            "'x'",
        ),
        Wrong(lambda: vision.Backbone(in_chans=0), "in_chans must be an integer of at least 1", "0"),
        Wrong(lambda: vision.Backbone(drop_path_rate=2), "drop_path_rate must be a number from 0 to 1", "2"),
        Wrong(lambda: vision.Backbone(mlp_ratio=-1), "mlp_ratio must be above 0", "-1"),
    ],
    "create_model": [
        Wrong(lambda: vision.create_model(**anything(name=3)), "name must be a string", "3"),
        Wrong(
            lambda: vision.create_model("field_cm"),
            "name must be in timm's registry",
            "'field_cm'; did you mean field_cnn, field_local, field_vit? See `vision models`",
        ),
        Wrong(
            lambda: vision.create_model("plain_cnn", channels="abc"),
            "channels must be (an integer, ...)",
            "'abc'",
        ),
        Wrong(
            lambda: vision.create_model("plain_cnn", channels=(8, -1, 8)),
            "channels and layers must be at least 1",
            "channels=(8, -1, 8), layers=(2, 2, 2)",
        ),
        Wrong(
            lambda: vision.create_model("resnet18_small", num_classes=-1),
            "num_classes must be an integer of at least 0",
            "-1",
        ),
        Wrong(
            lambda: vision.create_model("nearest_cnn", kernel_size=1.5),
            "kernel_size must be an integer or 'full'",
            "1.5",
        ),
        Wrong(lambda: vision.create_model("softened_cnn", cnn=3), "cnn must be a string", "3"),
    ],
    "Grid": [Wrong(lambda: Grid(**anything(rows="4", cols=4)), "rows of a grid must be an integer", "'4'")],
    "PatchEmbed": [
        Wrong(
            lambda: vision.PatchEmbed(**anything(img_size="16", patch_size=4)),
            "img_size must be an integer or (an integer, an integer)",
            "'16'",
        ),
        Wrong(
            lambda: vision.PatchEmbed(16, 4, 0),
            "in_chans and embed_dim must be at least 1",
            "in_chans=0, embed_dim=64",
        ),
        Wrong(
            lambda: vision.PatchEmbed(16, 4)(IMAGES.byte()),
            "images must be floating-point numbers, divided by 255",
            "torch.uint8",
        ),
    ],
    "patchify": [
        Wrong(
            lambda: vision.patchify(**anything(images=IMAGES.numpy(), patch_size=4)),
            "images must be a Tensor (B, C, H, W)",
            "ndarray",
        ),
        Wrong(
            lambda: vision.patchify(IMAGES, **anything(patch_size="4")),
            "a size must be one integer, or two for rows and columns",
            "'4'",
        ),
    ],
    "unpatchify": [
        Wrong(
            lambda: vision.unpatchify(torch.zeros(2, 16, 48), **anything(grid=(4, 4), patch_size=4)),
            "grid must be a Grid",
            "(4, 4)",
        ),
    ],
    "shuffle_patches": [
        Wrong(
            lambda: vision.shuffle_patches(IMAGES, 4, **anything(generator=0)),
            "generator must be a Generator",
            "0",
        ),
    ],
    "as_attention": [
        Wrong(
            lambda: vision.as_attention(*anything(model=3).values()),
            "model must be an nn.Module, not a TorchScript module",
            "int",
        ),
        Wrong(
            lambda: vision.as_attention(CNN, **anything(input_size="16")),
            "input_size must be one number, 2 numbers, or (channels, *size) for this model",
            "'16'",
        ),
        Wrong(
            lambda: vision.as_attention(CNN, 16, **anything(strict="yes")),
            "strict must be True or False",
            "'yes'",
        ),
    ],
    "as_convolution": [
        Wrong(
            lambda: vision.as_convolution(*anything(model=None).values()), "model must be a Module", "None"
        ),
        Wrong(
            lambda: vision.as_convolution(VIT, **anything(images=[1])),
            "images must be a Tensor or None",
            "[1]",
        ),
        Wrong(
            lambda: vision.as_convolution(VIT, IMAGES, **anything(ridge="x")), "ridge must be a number", "'x'"
        ),
        Wrong(
            lambda: vision.as_convolution(VIT, IMAGES, ridge=-1.0),
            "distill_steps and ridge must be at least 0",
            "distill_steps=0, ridge=-1.0",
        ),
        Wrong(lambda: vision.as_convolution(VIT, IMAGES, batch_size=0), "batch_size must be at least 1", "0"),
    ],
    "load_converted": [
        Wrong(
            lambda: vision.load_converted(**anything(folder=None)),
            "folder must be a string or a Path",
            "None",
        ),
        Wrong(lambda: vision.load_converted("x", **anything(model=3)), "model must be a Module or None", "3"),
    ],
    "save_converted": [
        Wrong(
            lambda: vision.save_converted(**anything(model="x", folder="y")), "model must be a Module", "'x'"
        ),
        Wrong(
            lambda: vision.save_converted(CNN, **anything(folder=3)), "folder must be a string or a Path", "3"
        ),
    ],
    "soft_convolution": [
        Wrong(
            lambda: vision.soft_convolution(**anything(conv=3, alpha=8.0)),
            "conv must be an nn.Conv2d with its own forward",
            "int",
        ),
    ],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_in_one_sentence(name):
    for call, wanted, got in WRONG[name]:
        with pytest.raises(ValueError) as refused:
            call()
        assert str(refused.value) == f"{wanted}, got {got}"


def test_every_public_name_has_a_wrong_value():
    functions = {name for name in dir(vision) if callable(getattr(vision, name))}
    assert functions == set(WRONG)


class Options(TypedDict, total=False):
    """For the test below."""

    width: int


HINTS: list[tuple[object, list[object], list[object]]] = [
    (int, [1, np.int64(1)], [True, 1.0, "1", None]),
    (float, [1, 1.5, np.float32(1)], [True, "1", None]),
    (bool, [True, False, np.bool_(True), 0, 1], [2, "true", None]),
    (int | tuple[int, int] | None, [1, (1, 2), [1, 2], None], [(1,), (1, 2, 3), ("1", 2), "12"]),
    (tuple[int, ...], [(), (1,), [1, 2]], ["1", (1.5,)]),
    (list[str], [[], ["a"]], ["a", [1]]),
    (dict[str, Any] | list[int], [{}, OmegaConf.create({"a": 1}), OmegaConf.create([1])], ["a"]),
    (Literal["a", 1], ["a", 1], ["b", True]),
    (Mapping[str, int], [{}], [[]]),
    (Callable[[int], int], [len], [1]),
    (str | Path, ["a", Path("a")], [1]),
    (Any, [1, None], []),
]


@pytest.mark.parametrize("hint, right, wrong", HINTS)
def test_a_type_is_that_of_its_annotation(hint, right, wrong):
    for value in right:
        check_type("x", value, hint)
    for value in wrong:
        with pytest.raises(ValueError, match=r"^x must be .*, got "):
            check_type("x", value, hint)


def test_pythons_own_errors_and_unpacked_options_stay():
    @checked
    def area(height: int, *more: int, **options: Unpack[Options]) -> int:
        return height * options.get("width", 1)

    assert area(3, width=2) == 6
    with pytest.raises(ValueError, match=r"^width must be an integer, got '2'$"):
        area(3, **anything(width="2"))
    with pytest.raises(TypeError, match="area needs the argument height"):
        area()  # pyright: ignore[reportCallIssue]


NAMES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: vision.MultiHeadAttention(8, **anything(heads=2)),
        "MultiHeadAttention has no argument heads; did you mean num_heads",
    ),
    (
        lambda: vision.PatchEmbed(8, 2, **anything(in_chan=2)),
        "PatchEmbed has no argument in_chan; did you mean in_chans?",
    ),
    (
        lambda: vision.neighbourhood(GRID, **anything(kernel=3)),
        "neighbourhood has no argument kernel; did you mean kernel_size?",
    ),
]


@pytest.mark.parametrize("call, message", NAMES)
def test_an_argument_that_is_unknown_or_missing_is_named(call, message):
    with pytest.raises(TypeError) as refused:
        call()
    assert str(refused.value).startswith(message)


def test_a_long_value_is_cut_and_one_of_many_lines_becomes_one():
    with pytest.raises(ValueError) as refused:
        check_type("x", ["a\n" * 100], int)
    assert str(refused.value).endswith("...") and len(str(refused.value)) < 130
    with pytest.raises(ValueError, match=r"got Tensor of shape \(2, 3\)$"):
        check_type("x", torch.zeros(2, 3), int)
