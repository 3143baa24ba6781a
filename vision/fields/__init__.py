"""Who may attend to whom: receptive fields as one object, read as a mask, as neighbours or as a block mask.

>>> from vision.patches import Grid
>>> neighbourhood(Grid(4, 4), kernel_size=3).mask()[0].nonzero().flatten().tolist()
[0, 1, 4, 5]
"""

from vision.fields.field import Field as Field
from vision.fields.field import Offset as Offset
from vision.fields.graph import graph as graph
from vision.fields.kinds import convolution as convolution
from vision.fields.kinds import full as full
from vision.fields.kinds import kernel_positions as kernel_positions
from vision.fields.kinds import neighbourhood as neighbourhood
from vision.fields.kinds import tiled as tiled
from vision.fields.kinds import tiles as tiles
from vision.fields.kinds import truncated as truncated
from vision.fields.named import FieldFunction as FieldFunction
from vision.fields.named import make_field as make_field
