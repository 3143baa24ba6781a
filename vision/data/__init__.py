"""Images for a run: where they come from, which of them, and batches of them on the device.

>>> from vision.config import DataConfig
>>> source = load_source(DataConfig(name="digits", source="digits"))
>>> subset = draw_subset(source.train.labels, 500, seed=0, val_fraction=0.1)
>>> mean, std = channel_statistics(source.train, subset.train)
>>> batches = train_batches(source.train, subset.train, batch_size=64, mean=mean, std=std, seed=0)
"""

from typing import TYPE_CHECKING

from vision._old_names import old_names
from vision.data.batches import eval_batches as eval_batches
from vision.data.batches import train_batches as train_batches
from vision.data.channel_statistics import channel_statistics as channel_statistics
from vision.data.drawn_batches import DrawnBatches as DrawnBatches
from vision.data.encoded import EncodedImages as EncodedImages
from vision.data.fingerprint import has_changed as has_changed
from vision.data.images import Images as Images
from vision.data.images import Source as Source
from vision.data.inputs import Inputs as Inputs
from vision.data.inputs import load_inputs as load_inputs
from vision.data.sources import load_source as load_source
from vision.data.sources import read_source as read_source
from vision.data.sources import reading_key as reading_key
from vision.data.sources import register_source as register_source
from vision.data.subsets import Subset as Subset
from vision.data.subsets import draw_subset as draw_subset
from vision.data.summary import summary as summary

if not TYPE_CHECKING:
    __getattr__ = old_names(__name__, {"reading": "vision.data.reading_key"})
