"""The device of each check: CUDA, and the CPU, which shows that the checks themselves work."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

NO_CUDA = "needs a CUDA device"
DEVICES = [pytest.param("cpu", marks=pytest.mark.slow)]
if torch.cuda.is_available():
    DEVICES += [pytest.param("cuda", marks=pytest.mark.cuda)]
# Norm of the difference over the norm of the reference. With TF32 a product has 10 bits, bfloat16 has 8.
TOLERANCES = {torch.float64: 1e-10, torch.float32: 2e-5, torch.bfloat16: 2e-2}

Difference = Callable[[Tensor, Tensor], float]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def cuda() -> torch.device:
    """Return CUDA; skip the test where there is none."""
    if not torch.cuda.is_available():
        pytest.skip(NO_CUDA)
    return torch.device("cuda")


@pytest.fixture(autouse=True)
def _exact_float32() -> Iterator[None]:
    """Compute float32 in float32: convolutions would use TF32 otherwise. Products already do."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture
def tolerance() -> dict[torch.dtype, float]:
    return TOLERANCES


@pytest.fixture
def difference() -> Difference:
    """Relative difference of a tensor and its reference; infinite where one is not finite."""

    def compute(got: Tensor, wanted: Tensor) -> float:
        got, wanted = got.detach().cpu().double(), wanted.detach().cpu().double()
        if not got.isfinite().all():
            return float("inf")
        return float((got - wanted).norm() / wanted.norm().clamp(min=1e-12))

    return compute


@pytest.fixture
def forward_backward() -> Callable[..., list[Tensor]]:
    """Run a module on x: its output, then the gradients of x and of the parameters, in their order."""

    def compute(module: nn.Module, x: Tensor, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        x = x.detach().requires_grad_()
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            out = module(x)
        direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        leaves = [x, *module.parameters()]
        loss = (out.double() * direction.to(out.device)).sum()
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
        return [
            out,
            *(torch.zeros_like(p) if g is None else g for p, g in zip(leaves, gradients, strict=True)),
        ]

    return compute
