"""Accuracy by field, kind of weights and training-set size, from the runs of experiment=receptive_field.

    python scripts/receptive_field.py outputs/receptive_field-cifar10-jpeg

Prints a table and the best field at each size, and writes receptive_field.png, .svg and .csv into the folder.
"""

import argparse
from pathlib import Path

import pandas as pd

from vision import results
from vision.analysis import accuracy_curves
from vision.plots import plot_receptive_field

KINDS = {
    "field_cnn": "depthwise convolution",
    "field_static": "static attention (place only)",
    "field_local": "content attention",
    "field_gated": "gated attention",
}


def field_curves(records: pd.DataFrame) -> pd.DataFrame:
    """The curves of `accuracy_curves`, their labels "model field" taken apart into kind and field."""
    curves = accuracy_curves(records)
    names = curves["label"].str.rsplit(" ", n=1, expand=True)
    return curves.assign(kind=names[0].map(lambda name: KINDS.get(name, name)), field=names[1].astype(int))


def best_fields(curves: pd.DataFrame) -> pd.DataFrame:
    """For each kind and size with two fields or more: that with the highest mean, its lead in points."""
    rows = []
    for (kind, size), group in curves.groupby(["kind", "train_size"], sort=False):  # type: ignore[misc]
        if len(group) < 2:
            continue
        ranked = group.sort_values("mean", ascending=False)
        lead = 100 * (ranked["mean"].iloc[0] - ranked["mean"].iloc[1])
        rows.append({"kind": kind, "train_size": size, "best field": ranked["field"].iloc[0], "lead": lead})
    return pd.DataFrame(rows)


def main() -> None:
    """Gather, print, and draw."""
    parser = argparse.ArgumentParser(description="Draw accuracy by field.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    records = results.collect(folder)
    curves = field_curves(records)
    table = curves.assign(percent=(100 * curves["mean"]).round(1)).pivot_table(
        index=["kind", "field"], columns="train_size", values="percent", sort=False
    )
    print(table.to_string())
    print(best_fields(curves).to_string(index=False, float_format="{:.1f}".format))
    first, counts, params = records.iloc[0], curves["n"], records["params"]
    notes = (
        f"{len(records)} runs, n = {counts.min()} to {counts.max()} a point, band: 95% t-interval; "
        f"{params.min():,} to {params.max():,} parameters, {first['steps']} steps; "
        f"torch {first['versions']['torch']}; {first['device']}; commit {str(first['commit'])[:10]}"
    )
    data = ", ".join(dict.fromkeys(records["data"]))
    figure = plot_receptive_field(curves, title=f"From 1 x 1 to global on one backbone: {data}", notes=notes)
    figure.savefig(folder / "receptive_field.png", dpi=150)
    figure.savefig(folder / "receptive_field.svg", metadata={"Date": None})
    curves.to_csv(folder / "receptive_field.csv", index=False)


if __name__ == "__main__":
    main()
