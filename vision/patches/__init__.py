"""From images to sets of vectors and back: the grid of patches, flattening, and the stems.

>>> import torch
>>> patchify(torch.zeros(2, 3, 32, 32), patch_size=4).shape
torch.Size([2, 64, 48])
"""

from vision.patches.embed import PatchEmbed as PatchEmbed
from vision.patches.grid import Grid as Grid
from vision.patches.grid import Size as Size
from vision.patches.grid import given_grid as given_grid
from vision.patches.grid import padding_of as padding_of
from vision.patches.grid import pair as pair
from vision.patches.grid import patch_grid as patch_grid
from vision.patches.patchify import images_to_tokens as images_to_tokens
from vision.patches.patchify import patchify as patchify
from vision.patches.patchify import reorder_patches as reorder_patches
from vision.patches.patchify import shuffle_patches as shuffle_patches
from vision.patches.patchify import tokens_to_images as tokens_to_images
from vision.patches.patchify import unpatchify as unpatchify
from vision.patches.stem import Stem as Stem
from vision.patches.stem import check_images as check_images
from vision.patches.tokens import check_tokens as check_tokens
