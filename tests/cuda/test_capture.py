"""The step that is captured as a CUDA graph, and the other ways that the benchmark times, against eager."""

import contextlib
import itertools

import pytest
import torch
from gpu import capture

STEPS = 8
# A bias of the keys has no gradient but rounding, of which Adam makes whole steps.
NOISE = 0.02


def work_on(device: torch.device, name: str, dtype: torch.dtype = torch.float32) -> capture.Work:
    return capture.make_work(name, device, batch=8, img_size=16, dtype=dtype, params=20_000)


def trained(work: capture.Work, way: str) -> tuple[torch.nn.Module, list[float]]:
    own = capture.copy_of(work)
    step = capture.WAYS[way](own)
    return own.model, [float(step()) for _ in range(STEPS)]


@pytest.mark.parametrize("name", ["field_vit", "field_cnn", "resnet18_small"])
def test_the_eager_step_learns_its_batch_and_is_repeatable(device, name):
    work = work_on(device, name)
    (one, losses), (two, _) = trained(work, "eager"), trained(work, "eager")
    assert losses[-1] < losses[0]
    assert capture.relative_difference(one, two) < NOISE
    assert capture.relative_difference(one, work.model) > 1e-3, "the original is not trained"


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("way", ["graphed_step", "graphed_model", "compiled"])
@pytest.mark.parametrize("name", ["field_vit", "field_cnn"])
def test_every_way_trains_as_the_eager_step_does(cuda, name, way, dtype):
    work = work_on(cuda, name, dtype)
    (eager, wanted), (other, losses) = trained(work, "eager"), trained(work, way)
    assert losses == pytest.approx(wanted, rel=1e-3 if dtype == torch.float32 else 0.05)
    assert capture.relative_difference(other, eager) < (NOISE if dtype == torch.float32 else 0.1)


@pytest.mark.cuda
def test_a_captured_step_reads_a_new_batch_from_its_buffers(cuda):
    work = work_on(cuda, "field_vit")
    step = capture.graphed_step(work)
    losses = []
    for seed in (1, 2, 1):
        generator = torch.Generator().manual_seed(seed)
        work.images.copy_(torch.randn(work.images.shape, generator=generator))
        losses.append(float(step()))
    assert losses[0] != losses[1]


@pytest.mark.parametrize("way", ["graphed_step", "graphed_model"])
def test_a_capture_without_cuda_is_an_error(way):
    with pytest.raises(RuntimeError, match="needs a CUDA device"):
        capture.WAYS[way](work_on(torch.device("cpu"), "field_cnn"))


class FakeGraph:
    """Replays by calling what was recorded; stands in for torch.cuda.CUDAGraph on a CPU."""

    def __init__(self) -> None:
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1


def test_the_warm_up_of_a_capture_leaves_no_trace(monkeypatch):
    """The capture's own code on a CPU, with torch.cuda's names replaced: weights and averages start again."""
    stream = type("Stream", (), {"wait_stream": lambda self, other: None})
    for name, stand_in in {
        "Stream": stream,
        "current_stream": stream,
        "stream": lambda stream: contextlib.nullcontext(),
        "CUDAGraph": FakeGraph,
        "graph": lambda graph: contextlib.nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(capture, "_needs_cuda", lambda work: None)
    work = work_on(torch.device("cpu"), "resnet18_small")
    own = capture.copy_of(work)
    losses = [capture.graphed_step(own)() for _ in range(1)]
    # The fake capture runs the step once: exactly what one eager step does from the same weights.
    other, eager = trained_once(work)
    assert float(losses[0]) == pytest.approx(eager, rel=1e-5)
    assert capture.relative_difference(own.model, other) < 1e-5


def trained_once(work: capture.Work) -> tuple[torch.nn.Module, float]:
    own = capture.copy_of(work)
    step = capture.eager(own)
    return own.model, float(next(step() for _ in itertools.count()))
