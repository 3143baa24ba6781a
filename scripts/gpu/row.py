"""Run one row of the benchmark and print its figures as JSON, one line each.

python -m gpu.row NAME --device cuda [--tiny] [--wait]
"""

import argparse
import json
import sys

import torch

from gpu.rows import ROWS, row_function


def main() -> None:
    """Import everything, wait for a line on standard input if asked to, and run the row."""
    parser = argparse.ArgumentParser(description="Run one row of the benchmark; see gpu/rows.")
    parser.add_argument("name", choices=tuple(ROWS))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small enough for a CPU; figures mean nothing")
    parser.add_argument("--wait", action="store_true", help="begin when a line comes on standard input")
    options = parser.parse_args()
    function = row_function(options.name)
    if options.wait and not sys.stdin.readline():
        return  # nobody wants this row any more
    for row in function(torch.device(options.device), options.tiny):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
