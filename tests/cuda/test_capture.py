"""The step that is captured as a CUDA graph, and the other ways that the benchmark times, against eager."""

import pytest
import torch
from gpu import capture

STEPS = 8
# A bias of the keys has no gradient but rounding, of which Adam makes whole steps.
NOISE = 0.02


def work_on(device: torch.device, name: str, precision: str = "float32") -> capture.Work:
    return capture.make_work(name, device, batch=8, img_size=16, precision=precision, params=20_000)


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
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("way", ["graphed_step", "graphed_model", "compiled"])
@pytest.mark.parametrize("name", ["field_vit", "field_cnn"])
@pytest.mark.filterwarnings("ignore:The CUDA Graph is empty:UserWarning")  # of mode="reduce-overhead"
# torch.cuda.make_graphed_callables warms up on another stream than the one that it captures on.
@pytest.mark.filterwarnings("ignore:The AccumulateGrad node's stream does not match:UserWarning")
def test_every_way_trains_as_the_eager_step_does(cuda, name, way, precision):
    work = work_on(cuda, name, precision)
    (eager, wanted), (other, losses) = trained(work, "eager"), trained(work, way)
    assert losses == pytest.approx(wanted, rel=1e-3 if precision == "float32" else 0.05)
    assert capture.relative_difference(other, eager) < (NOISE if precision == "float32" else 0.1)


@pytest.mark.cuda
def test_a_replayed_function_keeps_the_tensors_that_it_reads(cuda):
    """A graph that outlives its tensors reads memory that others have been given since."""

    def tripled():
        x = torch.full((1000,), 2.0, device=cuda)
        return capture.replayed(lambda: x * 3)

    replay = tripled()
    others = [torch.zeros(1000, device=cuda) for _ in range(50)]
    assert replay().eq(6).all() and not any(other.any() for other in others)


@pytest.mark.parametrize("way", ["graphed_step", "graphed_model"])
def test_a_capture_without_cuda_is_an_error(way):
    with pytest.raises(RuntimeError, match="needs a CUDA device"):
        capture.WAYS[way](work_on(torch.device("cpu"), "field_cnn"))
