"""`vision convert`: `command.py` has its arguments; the other files are imported when it runs."""

from vision.cli.convert.command import add_arguments as add_arguments
from vision.cli.convert.command import convert as convert
