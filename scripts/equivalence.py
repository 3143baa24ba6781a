"""Convert one model of each family to masked attention, compare the logits, and count the heads.

    python scripts/equivalence.py                              # prints the tables
    python scripts/equivalence.py --write docs/equivalence.md  # also updates the page and its figures

Weights are random, and batch norms have statistics like those of a trained network, so that nothing is
downloaded. --pretrained uses the weights that timm and torchvision publish. The network whose heads are
counted is trained here, on scanned digits.
"""

import argparse
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Any, NamedTuple, cast

import pandas as pd
import torch
from torch import Tensor, nn

from vision import RunConfig, as_attention
from vision.config import DataConfig, ModelConfig, TrainingConfig
from vision.convert import ConversionSummary, heads_by_layer, set_explicit_attention
from vision.data import load_source
from vision.experiment import run
from vision.inspection import attention_distance
from vision.models import build_model, find_model, load_model
from vision.plots import plot_attention_distance, save
from vision.provenance import cpu_summary, now, provenance

# family -> name, (C, *size) of the images: small where possible, because small images have more border.
FAMILIES = {
    "ResNet": ("torchvision/resnet18", (3, 64, 64)),
    "ResNeXt": ("torchvision/resnext50_32x4d", (3, 64, 64)),
    "pre-activation ResNet": ("resnetv2_50", (3, 64, 64)),
    "DenseNet": ("torchvision/densenet121", (3, 64, 64)),
    "VGG": ("torchvision/vgg11_bn", (3, 64, 64)),
    "MobileNet v2": ("torchvision/mobilenet_v2", (3, 64, 64)),
    "MobileNet v3": ("mobilenetv3_small_100", (3, 64, 64)),
    "EfficientNet, TensorFlow's padding": ("tf_efficientnet_b0", (3, 66, 64)),
    "RegNet": ("regnety_002", (3, 64, 64)),
    "ConvNeXt": ("convnext_atto", (3, 64, 64)),
    "ConvMixer": ("convmixer_768_32", (3, 56, 56)),
    "RepVGG": ("repvgg_a0", (3, 64, 64)),
    "Inception v3": ("inception_v3", (3, 96, 96)),
    "GoogLeNet": ("torchvision/googlenet", (3, 64, 64)),
    "SqueezeNet": ("torchvision/squeezenet1_1", (3, 64, 64)),
    "ResNet with a CIFAR stem": ("resnet18_small", (3, 32, 32)),
    "this suite's CNN": ("field_cnn", (3, 32, 32)),
    "ResNet with blur pools": ("resnetblur18", (3, 64, 64)),
    "MixNet, mixed kernels": ("tf_mixnet_s", (3, 64, 64)),
    "BiT, weight standardization": ("resnetv2_50x1_bit", (3, 64, 64)),
    "normalizer-free RegNet": ("nf_regnet_b0", (3, 64, 64)),
    "SE-ResNet": ("seresnet18", (3, 64, 64)),
    "ShuffleNet v2": ("torchvision/shufflenet_v2_x0_5", (3, 64, 64)),
    "GhostNet": ("ghostnet_100", (3, 64, 64)),
    "ViT, its stem": ("vit_tiny_patch16_224", (3, 224, 224)),
}
TOLERANCES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8)
IMAGES = 2


def build(name: str, *, pretrained: bool = False) -> nn.Module:
    """Return a model in evaluation mode whose batch norms have statistics and scales as after training."""
    torch.manual_seed(0)
    found = find_model(name)
    model = build_model(found.name, pretrained=pretrained, **found.arguments).eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not pretrained:
            drawn = torch.rand(4, module.num_features) - 0.5
            module.running_mean.copy_(drawn[0])  # type: ignore[union-attr]
            module.running_var.copy_(drawn[1] + 1)  # type: ignore[union-attr]
            if module.affine:
                module.weight.data.copy_(drawn[2] + 1)
                module.bias.data.copy_(drawn[3])
    return model


class Comparison(NamedTuple):
    """How far a converted model is from the original.

    Attributes:
        errors: by "float32, fast", "float32, explicit" and so on: largest difference over largest logit.
        converted: the converted model in float64.
    """

    errors: dict[str, float]
    converted: nn.Module

    @property
    def summary(self) -> ConversionSummary:
        """What the conversion did."""
        return cast(Any, self.converted).conversion


def relative(got: Tensor, wanted: Tensor) -> float:
    """Return the largest difference over the largest value."""
    return float((got - wanted).abs().max() / wanted.abs().max())


def compare(model: nn.Module, shape: tuple[int, ...]) -> Comparison:
    """Convert a model and compare the logits, in both precisions, fast and explicit."""
    images = torch.randn(IMAGES, *shape, generator=torch.Generator().manual_seed(0))
    errors: dict[str, float] = {}
    converted = model
    with torch.no_grad():
        for dtype, name in ((torch.float32, "float32"), (torch.float64, "float64")):
            model, x = model.to(dtype), images.to(dtype)
            converted, wanted = as_attention(model, shape), model(x)
            errors[f"{name}, fast"] = relative(converted(x), wanted)
            errors[f"{name}, explicit"] = relative(set_explicit_attention(converted, True)(x), wanted)
    return Comparison(errors, converted)


def family_row(family: str, name: str, shape: tuple[int, ...], *, pretrained: bool) -> dict[str, Any]:
    """Return one row of the table of families."""
    comparison = compare(build(name, pretrained=pretrained), shape)
    rows = comparison.summary.rows
    kinds = [row.kind.partition(",")[0] for row in rows]
    return {
        "family": family,
        "model": f"`{name}`",
        "image": " x ".join(map(str, shape[1:])),
        "convolutions": kinds.count("convolution"),
        "pools": sum(kind.endswith("pool") for kind in kinds),
        "attention before": sum(kind.startswith("attention") for kind in kinds),
        "heads": sum(row.heads for row in rows),
        **{key: f"{value:.0e}" for key, value in comparison.errors.items()},
    }


def trained(name: str, folder: str, **arguments: Any) -> nn.Module:
    """Train a model of this suite for 300 steps on 1,200 scanned digits and load it from its run's folder."""
    config = RunConfig(
        data=DataConfig(name="digits", source="digits"),
        model=ModelConfig(name=name, kwargs=arguments),
        training=TrainingConfig(steps=300, precision="float32", device="cpu"),
        train_size=1200,
        output_dir=folder,
        sweep="equivalence",
    )
    result = run(config)
    print(f"{name}: {result['test_accuracy']:.1%} of the test digits", file=sys.stderr)
    return load_model(result["folder"]).eval()


def heads_table(model: nn.Module) -> pd.DataFrame:
    """Return the heads that convolutions of more than one position need, one row per layer and tolerance."""
    rows = [
        {"tolerance": tolerance, **row}
        for tolerance in TOLERANCES
        for row in heads_by_layer(model, tolerance or None)
        if row["positions"] > 1
    ]
    return pd.DataFrame(rows)


def heads_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return by tolerance the heads of all layers, the fewest of a layer, and the largest kernel error."""
    summary = table.groupby("tolerance").agg(
        layers=("layer", "size"),
        heads=("heads", "sum"),
        of=("positions", "sum"),
        fewest=("heads", "min"),
        error=("error", "max"),
    )
    return summary.reset_index().assign(error=[f"{error:.0e}" for error in summary["error"]])


def distances(models: dict[str, nn.Module], images: Tensor) -> pd.DataFrame:
    """Return the attention distance of every layer and head of several models, on the same images."""
    return pd.concat(
        [attention_distance(model, images).assign(model=name) for name, model in models.items()],
        ignore_index=True,
    )


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown. pandas' own to_markdown needs another package, tabulate."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def put(document: Path, name: str, text: str) -> None:
    """Replace the text of a document between <!-- name --> and <!-- /name -->."""
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    before = document.read_text()
    if not pattern.search(before):
        raise SystemExit(f"{document} has no <!-- {name} --> ... <!-- /{name} -->")
    document.write_text(pattern.sub(lambda match: f"{match[1]}{text}\n{match[2]}", before))


def main() -> None:
    """Measure, print, and write the page and figures if asked for."""
    parser = argparse.ArgumentParser(description="Compare CNNs with themselves as masked attention.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables between its markers")
    parser.add_argument("--figures", type=Path, metavar="DIR", default=Path("docs/figures"))
    parser.add_argument("--pretrained", action="store_true", help="download and use published weights")
    options = parser.parse_args()
    torch.set_num_threads(2)
    rows = []
    for family, (name, shape) in FAMILIES.items():
        rows.append(family_row(family, name, shape, pretrained=options.pretrained))
        print(f"{family}: {rows[-1]['float64, explicit']}", file=sys.stderr, flush=True)
    families = pd.DataFrame(rows)
    with TemporaryDirectory() as folder:
        cnn = trained("resnet18_small", folder)
        vit = trained("field_vit", folder, params=60_000)
        local = trained("field_local", folder, params=60_000)
    heads = heads_table(cnn)
    made = provenance()
    versions = ", ".join(f"{one} {made['versions'][one]}" for one in ("torch", "torchvision", "timm"))
    notes = f"{versions}; {cpu_summary()}; commit {str(made['commit'])[:10]}; {now()[:10]}"
    weights = "published weights" if options.pretrained else "random weights, batch norms as if trained"
    texts = {
        "families": f"{markdown(families)}\n\n{fill(f'{IMAGES} images each, {weights}; {notes}.', 100)}",
        "heads": f"{markdown(heads_summary(heads))}\n\n{fill(f'One network, n = 1; {notes}.', 100)}",
    }
    for name, text in texts.items():
        print(f"\n{text}")
        if options.write:
            put(options.write, name, text)
    if options.write:
        digits = torch.as_tensor(load_source(DataConfig(name="digits", source="digits")).test.pixels)
        known = vit.pretrained_cfg  # type: ignore[union-attr]
        images = (digits[:64] / 255 - known["mean"][0]) / known["std"][0]  # type: ignore[index]
        models = {"ResNet-18 as attention": as_attention(cnn), "ViT": vit, "local attention": local}
        figure = plot_attention_distance(
            distances(models, images),
            title="How far attention looks: one measure for both kinds",
            notes=notes,
        )
        save(figure, options.figures / "attention_distance")


if __name__ == "__main__":
    main()
