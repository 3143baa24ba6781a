"""Tensors made under a tracer are never cached, and fields are right under every tracer."""

from typing import Any

import pytest
import torch
from torch._subclasses import FakeTensorMode

from vision.attention import attend
from vision.convert.layers import geometry
from vision.fields import neighbourhood
from vision.patches import Grid
from vision.tracing import cached, is_traced

GRID = Grid(3, 13)
pytestmark = pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.*:FutureWarning"
)


def under_jit_trace(run) -> None:
    torch.jit.trace(lambda x: (run(), x + 1)[1], torch.zeros(1), check_trace=False)


def under_fake_tensors(run) -> None:
    with FakeTensorMode():
        run()


def under_meta(run) -> None:
    with torch.device("meta"):
        run()


def under_vmap(run) -> None:
    torch.func.vmap(lambda x: (run(), x + 1)[1])(torch.zeros(2))


def under_grad(run) -> None:
    torch.func.grad(lambda x: (run(), x)[1])(torch.zeros(()))


TRACERS = [under_jit_trace, under_fake_tensors, under_meta, under_vmap, under_grad]


def test_nothing_is_traced_outside():
    assert not is_traced()


@pytest.mark.parametrize("tracer", TRACERS)
def test_results_built_under_a_tracer_are_not_cached(tracer):
    calls = []

    @cached(maxsize=4)
    def build(size: int) -> torch.Tensor:
        calls.append(is_traced())
        return torch.zeros(size)

    tracer(lambda: build(3))
    result = build(3)
    assert calls == [True, False] and type(result) is torch.Tensor and not result.is_meta
    assert build(3) is result


@pytest.mark.parametrize("tracer", TRACERS)
def test_fields_and_windows_are_plain_after_a_tracer(tracer):
    field = neighbourhood(Grid(5, 11 + TRACERS.index(tracer)), 3)
    window = geometry.Window((2,), (1,), ((0, TRACERS.index(tracer)),), (1,))
    tracer(lambda: (field.mask(), field.neighbours(), field.reachable(), geometry.indices(window, (7,))))
    tensors = [field.mask(), *field.neighbours(), geometry.indices(window, (7,))]
    assert all(type(x) is torch.Tensor and not x.is_meta for x in tensors)
    assert field.reachable() is None and int(field.mask()[0].sum()) == 4
    assert tensors[3].shape[1] == 2


def test_shift_under_each_tracer():
    field, x = neighbourhood(GRID, 3), torch.randn(2, 2, GRID.size, 4)
    run = lambda y: attend(y, y, y, field, backend="shift")  # noqa: E731
    wanted = run(x)
    traced: Any = torch.jit.trace(run, x)
    torch.testing.assert_close(traced(x), wanted)
    torch.testing.assert_close(torch.compile(run, backend="eager", fullgraph=True)(x), wanted)
    torch.testing.assert_close(torch.func.vmap(run)(torch.stack([x, x]))[1], wanted)
    assert run(x.to("meta")).shape == wanted.shape
    with FakeTensorMode() as mode:
        assert run(mode.from_tensor(x)).shape == wanted.shape
    assert torch.equal(run(x), wanted)
