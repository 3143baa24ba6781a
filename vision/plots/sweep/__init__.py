"""Figures of sweeps: accuracy and its companions over the training-set size."""
