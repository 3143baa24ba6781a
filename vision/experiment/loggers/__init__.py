"""Loggers of other tools, which get the figures of a run while it trains; off by default.

>>> with open_loggers(config) as loggers:  # doctest: +SKIP
...     loggers.log(20, {"train_loss": 1.2})
"""

from vision.experiment.loggers.logger import LOGGERS as LOGGERS
from vision.experiment.loggers.logger import Loggers as Loggers
from vision.experiment.loggers.logger import check_loggers as check_loggers
from vision.experiment.loggers.logger import open_loggers as open_loggers
