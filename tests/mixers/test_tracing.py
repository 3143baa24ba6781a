"""Token mixers traced by torch.fx and torch.jit, exported and compiled."""

import pytest
import torch
from mixer_cases import CASES, Case, everything, gradients, make, tokens
from torch import nn

from vision.patches import Grid

OTHER_PATHS = {
    *("relative_bias", "rotary", "quadratic_bias", "explicit", "edges", "backend", "order"),
    *("field", "shift", "kind"),
}


def paths(case: Case) -> set[object]:
    """Return what decides which code a case reaches while it is traced: mixer, options, kind of field."""
    full = case.reads is everything
    options = {
        (k, v if isinstance(v, str) else "", full) for k, v in case.options.items() if k in OTHER_PATHS
    }
    return {(case.mixer, full), *options}


# The cases that reach code which none before them reaches.
TRACED = [case for i, case in enumerate(CASES) if paths(case) - set[object]().union(*map(paths, CASES[:i]))]
# The fast suite traces one mixer with content weights, and one with weights by position.
QUICK_MIXERS = ("self_attention", "conv_attention")
QUICK = [case for case in TRACED if not case.options and case.mixer in QUICK_MIXERS]
each_traced = pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case in QUICK else pytest.mark.slow) for case in TRACED],
    ids=str,
)


def traced_grid(case: Case) -> Grid:
    """Return a grid large enough for tiles in groups and, in eager mode, for the linear backends.

    A compiler unrolls each step of a recurrence and each group of equal tiles, so their grids are smaller.
    """
    return {"recurrent": Grid(2, 2), "window_attention": Grid(5, 8)}.get(case.mixer, Grid(5, 14))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.*deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*were assigned during export.*:UserWarning")
@each_traced
def test_a_traced_or_exported_mixer_gives_the_same(case):
    grid = traced_grid(case)
    mixer = nn.Sequential(make(case, grid), make(case, grid)).eval()
    x, more = (tokens(grid, batch=batch, dtype=torch.float32) for batch in (2, 5))
    batch = torch.export.Dim("batch", min=2)
    with torch.no_grad():
        ways = {
            "fx": torch.fx.symbolic_trace(mixer),
            "jit": torch.jit.trace(mixer, x),
            "export": torch.export.export(mixer, (x,), dynamic_shapes=({0: batch},)).module(),
        }
        for way, traced in ways.items():
            for given in (x, more):
                message = f"{way}, {len(given)} images"
                torch.testing.assert_close(traced(given), mixer(given), rtol=0, atol=1e-6, msg=message)


@pytest.mark.slow
@each_traced
def test_a_compiled_mixer_gives_the_same_forward_and_backward(case):
    torch.compiler.reset()  # or earlier cases use up the limit of recompilations
    grid = traced_grid(case)
    mixer = make(case, grid, dtype=torch.float64)
    # Tracing the backward pass as well takes seconds, so only the first case of an attention does it.
    variant = case.options and case.mixer.endswith("attention") and "edges" not in case.options
    compiled = torch.compile(mixer, backend="eager" if variant else "aot_eager", fullgraph=True)
    for batch in (2, 5):
        x = tokens(grid, batch=batch).requires_grad_()
        torch._dynamo.mark_dynamic(x, 0)  # a graph for a fixed number of images is now an error
        got, wanted = compiled(x), mixer(x)
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)
        for one, other in zip(gradients(mixer, x, got), gradients(mixer, x, wanted), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
