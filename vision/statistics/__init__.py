"""Statistics of runs: curves, intervals, comparisons and scaling laws, computed from a table of records."""

from vision.statistics.compare_models import compare_models as compare_models
from vision.statistics.comparison import Comparison as Comparison
from vision.statistics.comparison import SizeComparison as SizeComparison
from vision.statistics.crossing import Crossing as Crossing
from vision.statistics.curves import accuracy_curves as accuracy_curves
from vision.statistics.curves import choose_by_validation as choose_by_validation
from vision.statistics.data_equivalence import data_equivalence as data_equivalence
from vision.statistics.intervals import Estimate as Estimate
from vision.statistics.intervals import interval_of as interval_of
from vision.statistics.laws import LAWS as LAWS
from vision.statistics.pairs import paired_differences as paired_differences
from vision.statistics.pairs import paired_runs as paired_runs
from vision.statistics.predictions import PredictionComparison as PredictionComparison
from vision.statistics.predictions import class_accuracy as class_accuracy
from vision.statistics.predictions import compare_predictions as compare_predictions
from vision.statistics.predictions import confusion_matrix as confusion_matrix
from vision.statistics.published import compare_with_published as compare_with_published
from vision.statistics.published import published_results as published_results
from vision.statistics.ranking import ranking as ranking
from vision.statistics.records import check_columns as check_columns
from vision.statistics.run_scores import all_or_nothing as all_or_nothing
from vision.statistics.run_scores import run_scores as run_scores
from vision.statistics.scaling import scaling_fit as scaling_fit
from vision.statistics.scaling_law_fit import ScalingFit as ScalingFit
