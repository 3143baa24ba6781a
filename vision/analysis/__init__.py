"""Records and models in, numbers out."""

from vision.analysis.attention_distance import attention_distance as attention_distance
from vision.analysis.attention_distance import equal_distance as equal_distance
from vision.analysis.attention_maps import attention_maps as attention_maps
from vision.analysis.cka import block_names as block_names
from vision.analysis.cka import cka as cka
from vision.analysis.curves import accuracy_curves as accuracy_curves
from vision.analysis.curves import choose_by_validation as choose_by_validation
from vision.analysis.heads import head_places as head_places
from vision.analysis.position_similarity import position_similarity as position_similarity
from vision.analysis.receptive_fields import LayerFields as LayerFields
from vision.analysis.receptive_fields import composed_field as composed_field
from vision.analysis.receptive_fields import effective_receptive_field as effective_receptive_field
from vision.analysis.receptive_fields import fields_through_depth as fields_through_depth
from vision.analysis.receptive_fields import gradient_support as gradient_support
from vision.analysis.rollout import attention_rollout as attention_rollout
