"""The `vision` command, a module for each of its subcommands' work. The only package that knows Hydra.

vision train data=digits model=vit train_size=500
"""

from vision.cli.main import main as main
