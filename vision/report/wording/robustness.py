"""What `vision evaluate` measured, in sentences.

>>> not_evaluated(["calibration"], 1)
'1 run has no calibration and is left out of it; run `vision evaluate` again.'
"""

from collections.abc import Sequence

from vision.report.wording.lead import number_of_runs
from vision.report.wording.names import sentence
from vision.report.wording.short_answer import short_answer
from vision.statistics import Comparison

TITLE = "Beyond accuracy"
CAPTION = (
    "Each measure takes the place of the accuracy in the same tests. Relative accuracy is the share of the "
    "correctly classified images that stay correct when they change. Consistency is the share of images "
    "whose class stays. A lead in calibration is a smaller expected calibration error. "
    "Each measure and each pair of models is tested separately."
)
TABLE_CAPTION = (
    "Average lead over the sizes in points, with its 95% interval. Detectable is the smallest average lead "
    "that these runs find with a probability of 80%."
)
CORRUPTIONS_FIGURE = (
    "Accuracy on unchanged images, and on average over all corruptions and severities. Relative accuracy is "
    "the share of the correctly classified images that stay correct."
)
KINDS_FIGURE = "Accuracy under each corruption, on average over the severities."
SHUFFLED_FIGURE = "Accuracy when patches of this side are put in a random order, new for each image."
TRANSLATIONS_FIGURE = "Share of images whose class stays when the image is shifted cyclically."
OCCLUSION_FIGURE = "Accuracy when a share of 8 x 8 areas has the mean colour of the images."
CALIBRATION_FIGURE = (
    "Expected calibration error on the test images, in 15 bins of equal size. Lower is better."
)
RELIABILITY_FIGURE = (
    "Accuracy against confidence, in 15 bins of equally many test images. "
    "Below the diagonal a model is surer than it is right."
)
PROBE_FIGURE = (
    "Accuracy of a linear probe of the features, fitted by ridge regression on a few images of each class."
)


def measure_answer(name: str, comparison: Comparison) -> str:
    """Return who is ahead in a measure and where, such as "Calibration: the CNN is ahead ..."."""
    unpaired = [] if comparison.paired else number_of_runs(comparison)
    text = " ".join([*short_answer(comparison), *unpaired])
    return f"{name[0].upper()}{name[1:]}, {' against '.join(comparison.models)}: {text}"


def not_evaluated(names: Sequence[str], runs: int) -> str:
    """Return that runs have no score of one or several measures."""
    several, verb = (f"{runs} runs have", "are") if runs > 1 else ("1 run has", "is")
    what, of = (names[0], "it") if len(names) == 1 else (f"score in {len(names)} measures", "them")
    named = f" ({', '.join(names)})" if len(names) > 1 else ""
    return sentence(f"{several} no {what} and {verb} left out of {of}{named}; run `vision evaluate` again")
