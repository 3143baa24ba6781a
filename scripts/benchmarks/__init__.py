"""The sections of scripts/benchmark.py, one file each, and what they share: turns and goals."""
