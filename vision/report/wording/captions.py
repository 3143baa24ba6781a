"""Captions of the figures and tables of a page.

>>> accuracy_figure(intervals=True)
'Mean test accuracy of each model, with its 95% interval over seeds.'
"""

from collections.abc import Sequence

from vision.report.wording.lead import TESTED_SEPARATELY

ALL_OR_NOTHING_FIGURE = "Test accuracy of each run. Runs succeed or fail, so a mean describes none of them."
OVERFIT_FIGURE = (
    "A wide gap between the curves means overfitting. "
    "Two low curves mean underfitting: too little capacity or training."
)
STEPS_FIGURE = "Accuracy on the validation images by optimizer step: was the budget large enough?"
COST_FIGURE = "Accuracy with the most training images against the cost of a model."
CONFUSION_FIGURE = "How the images of each true class were classified, in percent."
CLASSES_FIGURE = "Test accuracy of each class."
FIELD_MAP_FIGURE = "Accuracy by receptive field and training images. The best field of each size is framed."
LAWS_TABLE = (
    "Laws of the error over training-set size. The holdout error is the relative error at the largest size "
    "when it is predicted from the others. The simplest law within two standard errors of the best is shown. "
    "No law fits where all of them miss by more than chance. "
    "The laws are not tested beyond these sizes."
)
PUBLISHED_TABLE = (
    "Published results for the same number of images. Model size, budget, augmentation and data differ."
)
CHOSEN_TABLE = "Chosen on the validation images. The test images were not used."
BEST_OF_LINE = "ring: best value of each line"
SETTINGS_TABLE = "Settings that differ between models, other than size and seeds. All others are equal."


def curves_title(metric: str, x: str, data: Sequence[str]) -> str:
    """Return the title of curves of any column over any setting."""
    against = {"train_size": "training-set size", "label": "model"}.get(x, x)
    return f"{metric.replace('_', ' ').capitalize()} against {against}: {', '.join(data)}"


def accuracy_figure(*, intervals: bool) -> str:
    """Return the caption of the accuracy curves."""
    return f"Mean test accuracy of each model{', with its 95% interval over seeds' if intervals else ''}."


def error_figure(*, laws: bool) -> str:
    """Return the caption of the error curves."""
    fitted = " The lines are the fitted laws." if laws else ""
    return f"Test error. On log scales a power law is a straight line.{fitted}"


def gain_figure(first: str, *, not_shown: int, paired: bool = True) -> str:
    """Return the caption of the differences of the first model to others."""
    more = f" The table of differences has {not_shown} more models." if not_shown else ""
    pairs, welch = "for runs with the same subset and seed", "with Welch's interval where runs share no seed"
    return f"Accuracy of {first} minus the other's, {pairs if paired else welch}.{more}"


def shown_models(shown: int, models: int) -> str:
    """Return the sentence on models that a figure does not show, or nothing."""
    return f" {shown} of {models} models are shown." if models > shown else ""


def scores_table(*, intervals: bool) -> str:
    """Return the caption of the table of accuracies."""
    spread = " ± half of the 95% t interval" if intervals else ""
    return f"Test accuracy in %, mean{spread} over seeds (n)."


def verdict_table(*, several: bool) -> str:
    """Return the caption of the table of verdicts."""
    separately = f" {TESTED_SEPARATELY}" if several else ""
    return (
        "Average lead over the sizes, in points of accuracy, with its 95% interval. "
        "Detectable is the smallest average lead that these runs find with a probability of 80%. "
        f"The interval of a crossing is 95% too.{separately}"
    )


def differences_table(first: str, *, paired: bool = True) -> str:
    """Return the caption of the table of differences."""
    welch = "" if paired else "Runs of models that share no seed are compared by Welch's t test. "
    return (
        f"Accuracy of {first} minus the other's, in points: mean and 95% t interval. "
        f"Runs with the same subset and seed are paired. {welch}The p values are adjusted for all sizes "
        "(Holm). Detectable is the smallest lead that is found with a probability of 80%."
    )


def equivalence_table(first: str, second: str) -> str:
    """Return the caption of the table of data equivalence."""
    return f"Number of images with which {first} has the error that {second} has, with 95% interval."


def same_images_table(first: str, size: int, images: int, left_out: list[str]) -> str:
    """Return the caption of the comparison image by image."""
    missing = f" Left out: {'; '.join(left_out)}." if left_out else ""
    return (
        f"Models trained on {size:,} images and tested on the same {images:,} images. "
        f"The lead of {first} is in points, with a 95% bootstrap interval over images and runs. "
        "p is McNemar's, one for each pair of runs. Then follow the images that only one of the two "
        "classifies correctly. The last columns are the share of images that the two classify differently, "
        f"and the same between two seeds of each.{missing}"
    )


def runs_table(*, linked: bool) -> str:
    """Return the caption of the table of runs."""
    links = " The name links to the folder: config, record, learning curve, predictions, weights."
    return f"One row per run.{links if linked else ''}"


def confusion_notes(images: int, notes: str) -> str:
    """Return the small print of the confusion matrix."""
    return f"{images:,} test images, all runs together; {notes}"
