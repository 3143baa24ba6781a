"""Converted models at 224: fast over the original, and ResNet-18 explicit, in seconds and memory."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

import timm
import torch
from torch import Tensor, nn

from benchmarks.turns import ROOT, Row, Section, goal, ratio, say, times
from vision.attention import attend
from vision.convert import ConvolutionAttention, as_attention
from vision.fields import Field

MODELS = ("resnet18", "mobilenetv3_small_100", "convnext_atto")
# Sides of a grid on which a 3 x 3 convolution runs explicitly, dense and by gathered neighbours.
SIDES = (4, 8, 16, 32)


def convert(rounds: int) -> Section:
    """Measure the forward of one image, forward + backward of four, and an explicit run in a new process."""
    rows = [_case(name, rounds) for name in MODELS]
    explicit = _explicit("resnet18")
    goals = [
        *(goal(f"{row['model']}: fast over the original, forward", row["forward"], "<= 1.1") for row in rows),
        goal("resnet18 at 224, explicit: seconds an image, 2 threads", explicit["seconds"], "<= 60"),
        goal("resnet18 at 224, explicit: GiB at most, the process", explicit["gib"], "<= 8"),
        goal("explicit, 3x3: auto over the better of dense and gather, worst", _backends(rounds), "<= 1.1"),
    ]
    return Section(rows, goals)


def _case(name: str, rounds: int) -> Row:
    say(f"  {name}")
    model = timm.create_model(name).eval()
    converted = as_attention(model, 224)
    one, four = torch.randn(1, 3, 224, 224), torch.randn(4, 3, 224, 224)
    models = {"original": model, "fast": converted}
    forward = times({key: partial(_forward, m, one) for key, m in models.items()}, rounds)
    step = times({key: partial(_step, m, four) for key, m in models.items()}, rounds)
    return {
        "model": name,
        "original ms": 1e3 * statistics.median(forward["original"]),
        "fast ms": 1e3 * statistics.median(forward["fast"]),
        "forward": ratio(forward["fast"], forward["original"]),
        "forward + backward": ratio(step["fast"], step["original"]),
    }


def _forward(model: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        model(images)


def _step(model: nn.Module, images: Tensor) -> None:
    torch.autograd.grad(model(images).sum(), list(model.parameters()))


def _explicit(name: str) -> Row:
    say(f"  {name}, explicit")
    command = [sys.executable, str(ROOT / "scripts" / "benchmarks" / "explicit_run.py"), name, "224"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _backends(rounds: int) -> float:
    """Return the worst ratio of "auto" over the better of the two backends of explicit layers."""
    worst = 0.0
    for side in SIDES:
        layer = ConvolutionAttention(nn.Conv2d(64, 64, 3, padding=1), (side, side))
        inputs = [x.detach().clone().requires_grad_() for x in layer.qkv(torch.randn(4, 64, side, side))]
        steps = {
            backend: partial(_attend, inputs, layer.fields_for((side, side)), backend)
            for backend in ("dense", "gather", "auto")
        }
        taken = times(steps, rounds)
        best = min(("dense", "gather"), key=lambda name: statistics.median(taken[name]))
        worst = max(worst, ratio(taken["auto"], taken[best]))
    return worst


def _attend(inputs: list[Tensor], fields: Field | Sequence[Field], backend: str) -> None:
    q, k, v = inputs
    out = attend(q, k, v, fields, backend=backend)
    torch.autograd.grad(out, inputs, torch.ones_like(out))
