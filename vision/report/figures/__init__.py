"""The figures of a page, each from the runs of a sweep, where it applies to them.

>>> [figure.name for figure in draw_figures(sweep)[0]]  # doctest: +SKIP
['gain', 'accuracy', 'error', 'overfit', 'steps', 'cost', 'confusion', 'classes']
"""

from collections.abc import Callable

from vision.report.exclusions import skip_on_error
from vision.report.figures import fields, predictions, scores, training
from vision.report.figures.named_figure import NamedFigure as NamedFigure
from vision.report.sweep import Sweep

# In the order of the page; a function returns None where its figure does not apply.
FIGURES: dict[str, Callable[[Sweep], NamedFigure | None]] = {
    "gain": scores.gain,
    "accuracy": scores.accuracy,
    "error": scores.error,
    "field-map": fields.field_map,
    "overfit": training.train_test_gap,
    "steps": training.learning_curves,
    "cost": training.cost,
    "confusion": predictions.confusion,
    "classes": predictions.classes,
}


def draw_figures(sweep: Sweep) -> tuple[list[NamedFigure], list[str]]:
    """Draw the figures that apply, in the order of the page; also return a sentence for each that failed."""
    figures: list[NamedFigure] = []
    failures: list[str] = []
    for name, draw in FIGURES.items():
        with skip_on_error(f"figure '{name}'", failures):
            if figure := draw(sweep):
                figures.append(figure)
    return figures, failures
