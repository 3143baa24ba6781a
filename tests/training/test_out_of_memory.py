"""Memory that runs out in a step: real allocations that fail, in a process with little address space."""

import json
import subprocess
import sys
from typing import Any

import pytest

# A step of 64 images needs about 270 MB for its activations; a process gets 150 MB more than it has.
# Each case is a copy of a process that has imported torch, which takes seconds.
STEPS = """
import json, os, resource, sys
import torch
from torch import nn
from vision.config import TrainingConfig
from vision.training import fit
torch.manual_seed(0)
torch.set_num_threads(1)
torch.backends.mkldnn.enabled = False
model = nn.Sequential(nn.Flatten(), nn.Linear(8, 250_000), nn.ReLU(), nn.Linear(250_000, 3))
batches = [(torch.randn(64, 8), torch.randint(3, (64,))) for _ in range(2)]

def steps(limited, **changes):
    config = TrainingConfig(optimizer="sgd", lr=0.01, precision="float32", **changes)
    if limited:
        fit(model, [(x[:2], y[:2]) for x, y in batches], config, steps=1, device=torch.device("cpu"))
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 150_000_000, -1))
    torch.manual_seed(0)
    for layer in (model[1], model[3]):
        layer.reset_parameters()
    trained = fit(model, batches, config, steps=2, device=torch.device("cpu"))
    weights = torch.cat([p.flatten()[:1000].double() for p in model.parameters()])
    return {"parts": trained.parts, "weights": weights.tolist()}

for case in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        try:
            result = steps(**case)
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def steps(*cases: dict[str, Any]) -> list[dict[str, Any]]:
    """What two steps give in each case, or the error that ends them."""
    command = [sys.executable, "-c", STEPS, json.dumps(cases)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space as Linux does")
def test_halves_of_a_batch_go_on_where_the_whole_does_not_fit():
    failed, halved, whole = steps(
        {"limited": True}, {"limited": True, "out_of_memory": "halve"}, {"limited": False}
    )
    assert failed["error"].startswith("OutOfMemory: memory ran out in a step of 64 images in 1 parts")
    assert whole["parts"] == 1 and halved["parts"] >= 2
    assert halved["weights"] == pytest.approx(whole["weights"], abs=1e-6)
