"""The parts of scripts/gpu_check.py: tests, benchmark rows and a study, each in processes of its own."""
