"""Memory that runs out in a step: real allocations that fail, in a process with little address space."""

import json
import subprocess
import sys

import pytest

# A step of 64 images needs about 270 MB for its activations; the process gets 150 MB more than it has.
STEPS = """
import json, resource, sys
import torch
from torch import nn
from vision.config import TrainingConfig
from vision.training import fit
torch.manual_seed(0)
torch.set_num_threads(1)
torch.backends.mkldnn.enabled = False
model = nn.Sequential(nn.Flatten(), nn.Linear(8, 250_000), nn.ReLU(), nn.Linear(250_000, 3))
batches = [(torch.randn(64, 8), torch.randint(3, (64,))) for _ in range(2)]
config = TrainingConfig(optimizer="sgd", lr=0.01, precision="float32", **json.loads(sys.argv[1]))
if sys.argv[2] == "limited":
    fit(model, [(x[:2], y[:2]) for x, y in batches], config, steps=1, device=torch.device("cpu"))
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 150_000_000, -1))
torch.manual_seed(0)
for layer in (model[1], model[3]):
    layer.reset_parameters()
trained = fit(model, batches, config, steps=2, device=torch.device("cpu"))
weights = torch.cat([p.flatten()[:1000].double() for p in model.parameters()])
print(json.dumps({"parts": trained.parts, "weights": weights.tolist()}))
"""


def steps(limit: str, **config) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STEPS, json.dumps(config), limit]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space as Linux does")
def test_halves_of_a_batch_go_on_where_the_whole_does_not_fit():
    failed = steps("limited")
    assert "OutOfMemory: memory ran out in a step of 64 images in 1 parts" in failed.stderr, failed.stderr
    halved = steps("limited", out_of_memory="halve")
    assert halved.returncode == 0, halved.stderr
    whole = json.loads(steps("whole").stdout)
    result = json.loads(halved.stdout)
    assert whole["parts"] == 1 and result["parts"] >= 2
    assert result["weights"] == pytest.approx(whole["weights"], abs=1e-6)
