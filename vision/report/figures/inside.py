"""Figures of how convolutional trained attention is, against the training-set size.

>>> kernel_share(sweep, sweep.evaluations).name  # doctest: +SKIP
'kernel-share'
"""

from vision.report.figures.distances import before_and_after, during_training
from vision.report.figures.evaluation_curves import Drawings, Tables, curves_by_size, draw_curves
from vision.report.figures.named_figure import NamedFigure
from vision.report.sweep import Sweep
from vision.report.wording import inside as wording
from vision.statistics import attention_of_runs, kept_by_kernel

SHARES = ("kernel", "position", "content")


def kernel_share(sweep: Sweep, tables: Tables) -> NamedFigure:
    """The shares of kernel, position and content, a panel each."""
    table = tables["kernel_share"]
    means = attention_of_runs(table)
    curves = curves_by_size(sweep, {name: means[name] for name in SHARES})
    title = f"How convolutional attention is after training on {sweep.data}"
    figure = draw_curves(sweep, curves, table, title, panel="measure", metric="share of the variance")
    return NamedFigure("kernel-share", figure, wording.SHARE_FIGURE)


def kernel_width(sweep: Sweep, tables: Tables) -> NamedFigure:
    """The effective width of the kernels."""
    table = tables["kernel_share"]
    widths = {sweep.data: attention_of_runs(table)["width"]}
    curves = curves_by_size(sweep, widths, is_share=False)
    title = f"How wide the kernels of attention are after training on {sweep.data}"
    curves = curves.assign(data=sweep.data)
    figure = draw_curves(sweep, curves, table, title, metric="effective width", unit=" tokens")
    return NamedFigure("kernel-width", figure, wording.WIDTH_FIGURE)


def nearest_cnn(sweep: Sweep, tables: Tables) -> NamedFigure:
    """What the nearest CNN keeps, a panel for each kernel size."""
    table = tables["nearest_cnn"]
    panels = {f"{side} x {side} kernels": kept for side, kept in kept_by_kernel(table).items()}
    title = f"What the nearest CNN keeps of attention on {sweep.data}"
    figure = draw_curves(
        sweep, curves_by_size(sweep, panels), table, title, panel="measure", metric="relative accuracy"
    )
    return NamedFigure("nearest-cnn", figure, wording.KEPT_FIGURE)


# By evaluation, in the order of the page.
FIGURES: Drawings = {
    "log_inside": (during_training, before_and_after),
    "kernel_share": (kernel_share, kernel_width),
    "nearest_cnn": (nearest_cnn,),
}
