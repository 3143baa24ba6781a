"""Numbers in, matplotlib Figures out."""

from vision.plots.curves import plot_accuracy as plot_accuracy
from vision.plots.soft_convolution import plot_soft_error as plot_soft_error
