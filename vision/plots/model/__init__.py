"""Figures of models: attention, fields, heads, positions, representations."""
