"""`vision evaluate`: `command.py` has its arguments; the other files are imported when it runs."""

from vision.cli.evaluate.command import add_arguments as add_arguments
from vision.cli.evaluate.command import evaluate as evaluate
