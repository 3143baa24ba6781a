"""Numbers in, matplotlib Figures out."""

from vision.plots.curves import plot_accuracy as plot_accuracy
