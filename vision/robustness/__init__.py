"""What is left of a trained model's accuracy when its test images change, and what its features are worth.

Models and images in, numbers out. `vision evaluate` measures the finished runs of a sweep.

>>> corrupt(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "fog", 3).shape
torch.Size([2, 3, 32, 32])
"""

from vision.robustness.changes import AS_THEY_ARE as AS_THEY_ARE
from vision.robustness.changes import EVALUATIONS as EVALUATIONS
from vision.robustness.changes import Change as Change
from vision.robustness.changes import changes as changes
from vision.robustness.classifier import Classifier as Classifier
from vision.robustness.corruptions import CORRUPTIONS as CORRUPTIONS
from vision.robustness.corruptions import SEVERITIES as SEVERITIES
from vision.robustness.corruptions import corrupt as corrupt
from vision.robustness.geometry import hide_patches as hide_patches
from vision.robustness.geometry import shift_cyclically as shift_cyclically
from vision.robustness.probe import linear_probe as linear_probe
from vision.robustness.probe import probe_images as probe_images
from vision.robustness.scores import score_changes as score_changes
