"""How well a law predicts the error at the largest size from the others.

>>> x, y = np.log([100.0, 1000.0, 10_000.0]), np.log([0.4, 0.2, 0.1])
>>> error, p = predict_largest(LAWS["power"], x, y, None)
>>> round(error, 6), predicts(error, p)
(0.0, True)
"""

import numpy as np

from vision.statistics.laws import LAWS as LAWS
from vision.statistics.laws import Law, fit_law, fit_many

LEVEL = 0.05  # of the test of the prediction
DRAWS = 400
NO_ERROR = 1e-3  # relative error up to which a prediction is right, whatever the noise
ROUGH_ERROR = 0.05  # relative error up to which a prediction of single runs, which have no test, is right


def predicts(error: float, p: float) -> bool:
    """Return whether a prediction misses by no more than chance, from its relative error and p value."""
    return error <= ROUGH_ERROR if np.isnan(p) else p >= LEVEL or error <= NO_ERROR


def predict_largest(law: Law, x: np.ndarray, y: np.ndarray, chance: np.ndarray | None) -> tuple[float, float]:
    """Return the relative error at the largest size, predicted by a fit to the others, and its p value.

    Args:
        law: Law to fit.
        x: Log sizes (J).
        y: Log mean errors (J).
        chance: Chance deviations of the log mean errors (D, J); None for single runs.
    """
    values = fit_law(law, x[:-1], y[:-1])
    error = float(abs(np.expm1(law.log_error(x[-1:], values)[0] - y[-1])))
    if chance is None:
        return error, np.nan
    drawn = y + chance[:DRAWS]
    fits = fit_many(law, x[:-1], drawn[:, :-1], values)
    off = law.log_error(x[-1:], fits.T)[:, 0] - drawn[:, -1]
    return error, float(min(1.0, 2 * min(np.mean(off <= 0), np.mean(off >= 0))))
