"""A trained model in one line: its classes and its preprocessing with it, to predict or to export.

>>> trained = vision.load("outputs/demo/CNN/n1200/s0")  # doctest: +SKIP
>>> trained.predict("seven.png").name  # doctest: +SKIP
'7'
"""

from vision.reuse.exported_file import ExportedFile as ExportedFile
from vision.reuse.exported_file import export as export
from vision.reuse.loading import load as load
from vision.reuse.prediction import Prediction as Prediction
from vision.reuse.trained_model import TrainedModel as TrainedModel
