"""The numbers that `vision inspect` prints: attention distances, and how convolutional the heads are.

>>> distance_table("ViT", attention_distances(inputs))  # doctest: +SKIP
"""

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from vision import inspection
from vision.cli.inspect.models import InspectionInputs
from vision.cli.stderr import tell
from vision.text import first_few, percent

EXACT = 1e-9  # a share this close to 1 is 1, up to rounding


def attention_distances(inputs: InspectionInputs) -> pd.DataFrame:
    """Return the attention distances of all models; print which layers have none, and why."""
    tables: list[pd.DataFrame] = []
    for name, model in inputs.models.items():
        table = inspection.attention_distance(model, inputs.few_images())
        _print_skipped(f"no distance of {name}", table.attrs["skipped"])
        tables.append(table.assign(model=name))
    return pd.concat(tables, ignore_index=True)


def distance_table(name: str, distances: pd.DataFrame) -> Table:
    """Return the distances of one model, one row per layer."""
    table = Table("layer", "kind", "heads", "pixels: mean", "nearest", "farthest", box=SIMPLE_HEAD)
    for (layer, kind), heads in distances.groupby(["layer", "kind"], sort=False):
        far = heads["distance"]
        numbers = f"{far.mean():.1f}", f"{far.min():.1f}", f"{far.max():.1f}"
        table.add_row(str(layer), str(kind), str(len(heads)), *numbers)
    table.title = f"mean attention distance of {name}"
    return table


def kernel_shares(inputs: InspectionInputs) -> inspection.KernelShares | None:
    """Return how convolutional the heads of the first model are; print why there is no answer."""
    name, model = next(iter(inputs.models.items()))
    try:
        shares = inspection.kernel_shares(model, inputs.images)
    except ValueError as error:
        tell(f"no kernel shares of {name}: {error}")
        return None
    _print_skipped(f"no kernel shares of {name}", shares.skipped)
    return shares


def share_table(name: str, shares: inspection.KernelShares) -> Table:
    """Return the shares of the variance of attention weights, one row per layer and head.

    A layer whose heads are all kernels, such as a converted convolution, has one row.
    """
    numbers = ("head", "kernel", "95% interval", "position", "content", "width")
    right = [Column(name, justify="right", no_wrap=True) for name in numbers]
    table = Table(Column("layer", overflow="fold"), *right, box=SIMPLE_HEAD, pad_edge=False)
    for layer, heads in shares.table.groupby("layer", sort=False):
        if (heads["kernel_low"] > 1 - EXACT).all():
            ends = dict.fromkeys(f"{end:.1f}" for end in (heads["width"].min(), heads["width"].max()))
            width = " to ".join(ends)
            table.add_row(str(layer), f"all {len(heads)}", "100%", "exact", "0%", "0%", width)
            continue
        for head in heads.to_dict("records"):
            interval = f"{percent(head['kernel_low'])} to {percent(head['kernel_high'])}"
            shown = [percent(head[share]) for share in ("kernel", "position", "content")]
            shown.insert(1, interval)
            table.add_row(str(layer), str(head["head"]), *shown, f"{head['width']:.1f}")
    table.title = f"how convolutional the heads of {name} are: shares of the variance of their weights"
    table.caption = (
        "width: radius in tokens that holds 90% of the kernel; an estimate of a share of 0 may be below 0"
    )
    return table


def _print_skipped(what: str, skipped: dict[str, str]) -> None:
    """Print one line for each reason, with its first layer."""
    reasons: dict[str, list[str]] = {}
    for layer, reason in skipped.items():
        reasons.setdefault(reason, []).append(layer)
    for reason, layers in reasons.items():
        tell(f"{what}, {first_few(layers, 1)}: {reason}")
