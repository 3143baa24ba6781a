"""The `vision` command: train, plot, status, models. The only package that knows Hydra.

vision train data=digits model=vit train_size=500
"""

from vision.cli.main import main as main
