"""Hydra launchers of our own: how the runs of a sweep are spread over processes, GPUs and machines."""
