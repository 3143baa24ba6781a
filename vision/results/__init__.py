"""What runs leave behind: the folder of each, and many of them gathered. It knows no torch."""

from vision.results.run import ELSEWHERE as ELSEWHERE
from vision.results.run import FAILURE as FAILURE
from vision.results.run import LABELS as LABELS
from vision.results.run import METRICS as METRICS
from vision.results.run import PARTIAL as PARTIAL
from vision.results.run import PREDICTIONS as PREDICTIONS
from vision.results.run import RECORD_VERSION as RECORD_VERSION
from vision.results.run import RESULT as RESULT
from vision.results.run import ConfigMismatch as ConfigMismatch
from vision.results.run import RunInProgress as RunInProgress
from vision.results.run import append_metrics as append_metrics
from vision.results.run import fingerprint as fingerprint
from vision.results.run import finished as finished
from vision.results.run import read_failure as read_failure
from vision.results.run import read_result as read_result
from vision.results.run import run_folder as run_folder
from vision.results.run import settings as settings
from vision.results.run import write_json as write_json
from vision.results.run import writing as writing
from vision.results.sweep import collect as collect
from vision.results.sweep import learning_curves as learning_curves
from vision.results.sweep import predictions as predictions
from vision.results.sweep import read_plan as read_plan
from vision.results.sweep import read_records as read_records
from vision.results.sweep import status as status
from vision.results.sweep import write_plan as write_plan
