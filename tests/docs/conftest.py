"""public_names.py is a script that a test runs; pytest must not import it to look for examples."""

collect_ignore = ["public_names.py"]
