"""One bidirectional LSTM or GRU over sequences, which torch.compile takes as one operation.

>>> Recurrence("lstm", 8, 4)(torch.randn(2, 64, 8)).shape
torch.Size([2, 64, 8])
"""

from typing import Any

import torch
from torch import Tensor, nn

from vision.dynamic import Arguments

KINDS = ("lstm", "gru")
# torch's own names of its dispatch of operations, which it does not type.
_C: Any = torch._C  # pyright: ignore[reportPrivateUsage]
_AUTOGRAD = _C.DispatchKeySet(_C.DispatchKey.AutogradCPU) | _C.DispatchKeySet(_C.DispatchKey.AutogradCUDA)
# oneDNN runs torch's LSTM on a CPU, and has no bfloat16 version for processors without AVX-512.
_FLOAT32_ONLY = torch.backends.mkldnn.is_available() and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Recurrence(nn.RNNBase):
    """(B, N, C) -> (B, N, 2 * hidden): the outputs of nn.LSTM or nn.GRU, with its parameters.

    Dynamo refuses nn.LSTM and nn.GRU, as its backends would unroll them step by step. Here a compiled graph
    calls the recurrence as a whole. torch.export does unroll it.

    Args:
        kind: lstm or gru.
        dim: width C of the input.
        hidden: width of the state in each direction.
    """

    def __init__(
        self,
        kind: str,
        dim: int,
        hidden: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        options: Arguments = {"batch_first": True, "bidirectional": True}
        options |= {"device": device, "dtype": dtype}
        super().__init__(kind.upper(), dim, hidden, **options)  # pyright: ignore[reportUnknownMemberType]

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """(B, N, C) -> (B, N, 2 * hidden), in float32 under an autocast that has no hardware support."""
        if _FLOAT32_ONLY and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return self._run(x.float())
        return self._run(x)

    def _run(self, x: Tensor) -> Tensor:
        weights: list[Tensor] = [weight for direction in self.all_weights for weight in direction]
        compiled = torch.compiler.is_compiling() and not torch.compiler.is_exporting()
        return (_RECURRENCE if compiled else _recur)(x, weights, self.mode)


def _recur(x: Tensor, weights: list[Tensor], mode: str) -> Tensor:
    """(B, N, C) -> (B, N, 2 * hidden), in one operation of torch.

    cuDNN has gradients only of training mode, which without dropout computes the same as evaluation mode.
    """
    start = x.new_zeros(2, x.shape[0], weights[1].shape[1])
    # biases, layers, dropout, training, in both directions, batch first
    options: Any = (True, 1, 0.0, True, True, True)
    if mode == "LSTM":
        return torch.lstm(x, (start, start), weights, *options)[0]
    return torch.gru(x, start, weights, *options)[0]


def _opaque(x: Tensor, weights: list[Tensor], mode: str) -> Tensor:
    """Compute `_recur` as one operation of a graph."""
    return _recur(x, weights, mode).contiguous()


def _opaque_backward(grad: Tensor, x: Tensor, weights: list[Tensor], mode: str) -> list[Tensor]:
    """Return the gradients of x and of the weights; the forward pass is computed again for them."""
    # torch turns autograd off in an operation's own code.
    excluded = _C._dispatch_tls_local_exclude_set() - _AUTOGRAD
    with _C._ForceDispatchKeyGuard(_C._dispatch_tls_local_include_set(), excluded), torch.enable_grad():
        inputs = [tensor.detach().requires_grad_() for tensor in (x, *weights)]
        out = _recur(inputs[0], inputs[1:], mode)
        return [each.contiguous() for each in torch.autograd.grad(out, inputs, grad)]


def _shapes(x: Tensor, weights: list[Tensor], mode: str) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1], 2 * weights[1].shape[1])


def _backward_shapes(grad: Tensor, x: Tensor, weights: list[Tensor], mode: str) -> list[Tensor]:
    return [torch.empty_like(each, memory_format=torch.contiguous_format) for each in (x, *weights)]


def _keep(ctx: Any, inputs: tuple[Tensor, list[Tensor], str], output: Tensor) -> None:
    x, weights, ctx.mode = inputs
    ctx.save_for_backward(x, *weights)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, list[Tensor], None]:
    x, *weights = ctx.saved_tensors
    of_x, *of_weights = _RECURRENCE_BACKWARD(grad, x, weights, ctx.mode)
    return of_x, of_weights, None


_operation: Any = torch.library.custom_op  # its types are partly unknown
_RECURRENCE = _operation("vision::recurrence", _opaque, mutates_args=())
_RECURRENCE_BACKWARD = _operation("vision::recurrence_backward", _opaque_backward, mutates_args=())
_RECURRENCE.register_fake(_shapes)
_RECURRENCE_BACKWARD.register_fake(_backward_shapes)
_RECURRENCE.register_autograd(_backward, setup_context=_keep)
