"""Where images come from, by name: one file for each kind, and a registry for your own.

>>> from vision.config import DataConfig
>>> load_source(DataConfig(name="digits", source="digits")).train.shape
(1, 8, 8)
"""

from vision.data.sources import digits, far_marker, folders, tables, torchvision_sets
from vision.data.sources.registry import load_source as load_source
from vision.data.sources.registry import read_source as read_source
from vision.data.sources.registry import reading_key as reading_key
from vision.data.sources.registry import register_source as register_source

BUILT_IN = (digits, far_marker, folders, tables, torchvision_sets)  # importing them registers them
