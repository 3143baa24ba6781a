"""Numbers in, matplotlib Figures out."""

from vision.plots.attention_distance import plot_attention_distance as plot_attention_distance
from vision.plots.cka import plot_cka as plot_cka
from vision.plots.class_curves import plot_class_curves as plot_class_curves
from vision.plots.confusion import plot_confusion as plot_confusion
from vision.plots.cost import plot_cost as plot_cost
from vision.plots.curves import plot_accuracy as plot_accuracy
from vision.plots.error import plot_error as plot_error
from vision.plots.field_map import plot_field_map as plot_field_map
from vision.plots.fields import plot_fields as plot_fields
from vision.plots.gain import plot_gain as plot_gain
from vision.plots.heads import plot_heads as plot_heads
from vision.plots.heat import plot_heat as plot_heat
from vision.plots.overfit import plot_overfit as plot_overfit
from vision.plots.positions import plot_position_similarity as plot_position_similarity
from vision.plots.shuffled_patches import plot_shuffled_patches as plot_shuffled_patches
from vision.plots.soft_convolution import plot_soft_error as plot_soft_error
from vision.plots.steps import plot_steps as plot_steps
from vision.plots.style import save as save
from vision.plots.throughput import plot_throughput as plot_throughput
