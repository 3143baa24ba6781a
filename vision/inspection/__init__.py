"""Measures of trained models: attention, receptive fields, heads, positions, representations.

Models in, numbers out; `vision.plots.model` draws them.
"""

from vision.inspection.attention_distance import attention_distance as attention_distance
from vision.inspection.attention_distance import equal_distance as equal_distance
from vision.inspection.attention_maps import attention_maps as attention_maps
from vision.inspection.cka import block_names as block_names
from vision.inspection.cka import cka as cka
from vision.inspection.head_positions import head_positions as head_positions
from vision.inspection.heads import measure_heads as measure_heads
from vision.inspection.kernel_moments import HeadKernels as HeadKernels
from vision.inspection.kernel_share import KernelShares as KernelShares
from vision.inspection.kernel_share import kernel_shares as kernel_shares
from vision.inspection.position_similarity import position_similarity as position_similarity
from vision.inspection.receptive_fields import LayerFields as LayerFields
from vision.inspection.receptive_fields import composed_field as composed_field
from vision.inspection.receptive_fields import effective_receptive_field as effective_receptive_field
from vision.inspection.receptive_fields import fields_through_depth as fields_through_depth
from vision.inspection.receptive_fields import gradient_support as gradient_support
from vision.inspection.rollout import attention_rollout as attention_rollout
from vision.inspection.spread import spread_indices as spread_indices
