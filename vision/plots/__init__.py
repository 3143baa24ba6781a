"""Figures of sweeps and models: functions from tables and arrays to a matplotlib Figure."""

from matplotlib.figure import Figure as Figure

from vision.plots.layout.style import save as save
from vision.plots.model.attention_distance import plot_attention_distance as plot_attention_distance
from vision.plots.model.cka import plot_cka as plot_cka
from vision.plots.model.heads import plot_heads as plot_heads
from vision.plots.model.heatmap import plot_heatmap as plot_heatmap
from vision.plots.model.kernel_shares import plot_kernel_shares as plot_kernel_shares
from vision.plots.model.positions import plot_position_similarity as plot_position_similarity
from vision.plots.model.receptive_fields import plot_fields as plot_fields
from vision.plots.sweep.accuracy import plot_accuracy as plot_accuracy
from vision.plots.sweep.class_accuracy import plot_class_accuracy as plot_class_accuracy
from vision.plots.sweep.confusion import plot_confusion as plot_confusion
from vision.plots.sweep.cost import plot_cost as plot_cost
from vision.plots.sweep.difference import plot_difference as plot_difference
from vision.plots.sweep.error import plot_error as plot_error
from vision.plots.sweep.field_map import plot_field_map as plot_field_map
from vision.plots.sweep.learning_curves import plot_learning_curves as plot_learning_curves
from vision.plots.sweep.reliability import plot_reliability as plot_reliability
from vision.plots.sweep.train_test_gap import plot_train_test_gap as plot_train_test_gap
