"""Figure of tokens a second against the length of their sequence, from the benchmark's section length.

python scripts/benchmark.py --sections length --json outputs/length.json
python scripts/throughput.py outputs/length.json --out docs/figures
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from vision.plots import save
from vision.plots.throughput import plot_throughput


def main() -> None:
    """Draw what the file says, as throughput.png, .svg and .pdf."""
    parser = argparse.ArgumentParser(description="Draw throughput against length.")
    parser.add_argument(
        "file", type=Path, help="what benchmark.py wrote with --json, section length included"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="default: %(default)s")
    chosen = parser.parse_args()
    found = json.loads(chosen.file.read_text())
    about = found["machine"]
    figure = plot_throughput(
        pd.DataFrame(found["length"]["cases"]),
        title="Tokens a second of one mixer, forward and backward",
        notes=(
            "width 64, 4 heads, 16,384 tokens a step in as many sequences as that makes; float32; medians of "
            f"CPU time, up to {found['rounds']} turns;\n{about['threads']} thread of {about['cpu']} "
            f"({about['cores']} cores); torch {about['torch']}, Python {about['python']}; "
            f"commit {about['commit']}, {about['date']}"
        ),
    )
    save(figure, chosen.out / "throughput")


if __name__ == "__main__":
    main()
