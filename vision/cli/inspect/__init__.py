"""`vision inspect`: `command.py` has its arguments; the other files are imported when it runs."""

from vision.cli.inspect.command import add_arguments as add_arguments
from vision.cli.inspect.command import inspect as inspect
