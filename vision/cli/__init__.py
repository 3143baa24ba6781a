"""The `vision` command, one file or folder for each subcommand. Only this package knows Hydra.

vision train data=digits model=vit train_size=500
"""

from vision.cli.main import main as main
