"""What each head of a model does at one moment: mean attention distance, centre, width and gate.

>>> import timm, torch
>>> heads = measure_heads(timm.create_model("field_gated", depth=1), torch.zeros(1, 3, 32, 32))
>>> heads.columns.tolist()
['layer', 'head', 'distance', 'row', 'col', 'width', 'gate']
"""

import pandas as pd
from torch import Tensor, nn

from vision.inspection.attention_distance import attention_distance, is_fixed
from vision.inspection.head_positions import head_positions

COLUMNS = ["layer", "head", "distance", "row", "col", "width", "gate"]


def measure_heads(model: nn.Module, images: Tensor) -> pd.DataFrame:
    """Return one row per head with the columns of `attention_distance` and of `head_positions`.

    The model is left as it was found, and no random number is drawn.

    Args:
        model: any model; one without attention has no rows. Convolutions and pools as attention, such as the
            patch stem of a softened CNN, have none either: their fields are fixed.
        images: (B, C, H, W), over which the distances are averaged.

    Returns:
        Columns layer, head, distance in pixels, row and col (the centre relative to the query) and width in
        tokens, and gate. A number is missing where a head has none.
    """
    distances = attention_distance(model, images)[["layer", "head", "distance", "kind"]]
    table = distances.merge(head_positions(model), on=["layer", "head"], how="outer", sort=False)
    return table.loc[~is_fixed(table["kind"]), COLUMNS].reset_index(drop=True)
