"""Numbers in, matplotlib Figures out."""

from vision.plots.attention_distance import plot_attention_distance as plot_attention_distance
from vision.plots.cka import plot_cka as plot_cka
from vision.plots.curves import plot_accuracy as plot_accuracy
from vision.plots.fields import plot_fields as plot_fields
from vision.plots.heads import plot_heads as plot_heads
from vision.plots.heat import plot_heat as plot_heat
from vision.plots.positions import plot_position_similarity as plot_position_similarity
from vision.plots.shuffled_patches import plot_shuffled_patches as plot_shuffled_patches
from vision.plots.soft_convolution import plot_soft_error as plot_soft_error
