"""Run one image through a converted model explicitly, in its own process: seconds and memory.

python scripts/benchmarks/explicit_run.py resnet18 224
"""

import json
import resource
import sys
import time

import timm
import torch

from vision.convert import as_attention


def main() -> None:
    """Print the seconds of the first run and the process's largest memory, as JSON."""
    name, size = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(2)
    model = as_attention(timm.create_model(name).eval(), size, explicit=True)
    image = torch.randn(1, 3, size, size)
    start = time.perf_counter()
    with torch.no_grad():
        model(image)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


if __name__ == "__main__":
    main()
