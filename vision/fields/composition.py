"""Fields from fields: a convolution's split into its heads, and layers composed to a receptive field.

>>> grid = Grid(9, 9)
>>> layer = neighbourhood(grid, kernel_size=3)
>>> torch.equal(receptive_field(layer, layer).mask(), neighbourhood(grid, kernel_size=5).mask())
True
"""

from itertools import pairwise

from vision.fields.field import Field


def kernel_positions(field: Field) -> list[Field]:
    """Split a field by offsets into one field per offset: the heads of a convolution as attention."""
    if field.offsets is None:
        raise ValueError("only a field by offsets splits into kernel positions; this one is full or a mask")
    return [field.with_offsets((offset,)) for offset in field.offsets]


def receptive_field(*layers: Field) -> Field:
    """Field composed over layers, the first layer first: which inputs reach each output of the last.

    Raises:
        ValueError: the queries of a layer are not the keys of the next.
    """
    if not layers:
        raise ValueError("receptive_field needs at least one layer's field")
    reached = layers[0].mask()
    for below, above in pairwise(layers):
        if below.queries != above.keys:
            raise ValueError(f"a layer gives {below.queries} but the next one reads {above.keys}")
        reached = (above.mask().float() @ reached.float()) > 0
    return Field(layers[-1].queries, layers[0].keys, allowed=reached)
