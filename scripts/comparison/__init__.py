"""The study of scripts/study.py: its plan, the search of recipes, and the processes that train the runs."""
