"""`vision train`: `train.py` is the command; around it is what knows Hydra, and the process that trains."""
