"""A search for settings with Optuna, as a sweeper of Hydra. Only `study.py` and `space.py` import optuna."""
