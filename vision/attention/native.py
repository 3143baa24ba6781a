"""Attention of each query over its own few keys in C++ on a CPU: cost and memory linear in the tokens.

The kernel, native.cpp, is compiled on first use by the machine's C++ compiler (about a second, once per
machine and precision: the library is kept in the user's cache folder) and serves every shape and field.

>>> out = attention(q, k, v, neighbourhood(Grid(32, 32), kernel_size=3))
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.flop_counter import register_flop_formula

from vision.fields import Field

DTYPES = {torch.float32: "float", torch.float64: "double", torch.bfloat16: "bfloat16"}
# Sums may be reordered, which vector code needs; -ffast-math would flush denormals in the whole process.
_FLAGS = (
    *("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fopenmp-simd"),
    *("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math"),
)
_SIZES = ("batch", "heads", "queries", "keys", "count", "dim", "value_dim", "threads")
_STRIDES = ("q_strides", "k_strides", "v_strides", "g_strides")
_POINTERS = ("index", "q", "k", "v", "bias", "grad", "out", "weights", "dq", "dk", "dv", "dbias")


def attention(q: Tensor, k: Tensor, v: Tensor, field: Field, bias: Tensor | None = None) -> Tensor:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    Args:
        field: by K offsets, or any other field, where K is the most keys that a query has.
        bias: (H, K), added to the logits of each head and offset; for a field by offsets only.
    """
    # (B, H, N, D) -> (B, N, H, D): a view where q, k, v come from a linear map of tokens
    return _Native.apply(*(x.transpose(1, 2) for x in (q, k, v)), bias, field).transpose(1, 2)


@lru_cache(maxsize=len(DTYPES))
def available(dtype: torch.dtype) -> bool:
    """() -> whether the kernel compiles and loads here; where it does not, one warning says why."""
    if dtype not in DTYPES:
        return False
    try:
        _library(dtype)
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", None) or error
        warnings.warn(
            f"local attention runs without its C++ kernel, a few times slower: {reason}", stacklevel=2
        )
        return False
    return True


class _Problem(ctypes.Structure):
    """The arguments of the kernel, field by field those of native.cpp's Problem."""

    _fields_ = (
        *[(name, ctypes.c_int64) for name in _SIZES],
        *[(name, ctypes.c_int64 * 3) for name in _STRIDES],
        ("scale", ctypes.c_double),
        *[(name, ctypes.c_void_p) for name in _POINTERS],
    )


class _Native(torch.autograd.Function):
    """(B, N, H, D) tensors in and out; saves the weights, K numbers per query and head."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, field: Field) -> Tensor:
        q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
        index, wide = _index(field), torch.promote_types(q.dtype, torch.float32)
        added = None if bias is None else bias.to(wide).contiguous()
        out, weights = torch.ops.vision.native_attention(q, k, v, index, added)
        ctx.save_for_backward(q, k, v, weights)
        ctx.field, ctx.bias_dtype = field, None if bias is None else bias.dtype
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        q, k, v, weights = ctx.saved_tensors
        grad = grads[0] if grads[0].stride(-1) == 1 else grads[0].contiguous()
        dq, dk, dv, dbias = torch.ops.vision.native_attention_backward(
            grad, q, k, v, weights, _index(ctx.field)
        )
        total = dbias.sum(0).to(ctx.bias_dtype) if ctx.needs_input_grad[3] else None
        return dq, dk.to(k.dtype), dv.to(v.dtype), total, None


def _forward(q: Tensor, k: Tensor, v: Tensor, index: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    wide = torch.promote_types(q.dtype, torch.float32)
    out = q.new_empty(*q.shape[:-1], v.shape[-1])
    weights = q.new_empty(*q.shape[:-1], index.shape[1], dtype=wide)
    _run(q, k, v, index, bias=bias, out=out, weights=weights)
    return out, weights


def _backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: Tensor, index: Tensor
) -> tuple[Tensor, ...]:
    dq = q.new_empty(q.shape)
    dk, dv = (x.new_empty(x.shape, dtype=weights.dtype) for x in (k, v))
    dbias = weights.new_empty(q.shape[0], *weights.shape[2:])
    _run(q, k, v, index, back=True, weights=weights, grad=grad, dq=dq, dk=dk, dv=dv, dbias=dbias)
    return dq, dk, dv, dbias


# As operators of torch the two are seen by its profiler and by its counter of multiply-adds.
_OPERATORS = torch.library.Library("vision", "DEF")
_OPERATORS.define(
    "native_attention(Tensor q, Tensor k, Tensor v, Tensor index, Tensor? bias) -> (Tensor, Tensor)"
)
_OPERATORS.define(
    "native_attention_backward(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor weights, Tensor index) "
    "-> (Tensor, Tensor, Tensor, Tensor)"
)
_OPERATORS.impl("native_attention", _forward, "CPU")
_OPERATORS.impl("native_attention_backward", _backward, "CPU")


@register_flop_formula(torch.ops.vision.native_attention, get_raw=True)
def _flops(q: Tensor, k: Tensor, v: Tensor, index: Tensor, *args: Any, **kwargs: Any) -> int:
    """Two per multiply-add of the pairs that the field allows, for the logits and for the values."""
    return 2 * q.shape[0] * q.shape[2] * int((index >= 0).sum()) * (q.shape[3] + v.shape[3])


@register_flop_formula(torch.ops.vision.native_attention_backward, get_raw=True)
def _backward_flops(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: Tensor, index: Tensor, **kwargs: Any
) -> int:
    return 2 * _flops(q, k, v, index)


def _run(
    q: Tensor, k: Tensor, v: Tensor, index: Tensor, *, back: bool = False, **others: Tensor | None
) -> None:
    """Call the kernel on (B, N, H, D) tensors; `others` are named as the fields of _Problem."""
    strides = {"q_strides": q, "k_strides": k, "v_strides": v, "g_strides": others.get("grad")}
    pointers = {"q": q, "k": k, "v": v, "index": index, **others}
    problem = _Problem(
        batch=q.shape[0],
        heads=q.shape[2],
        queries=q.shape[1],
        keys=k.shape[1],
        count=index.shape[1],
        dim=q.shape[3],
        value_dim=v.shape[3],
        threads=torch.get_num_threads(),
        scale=q.shape[3] ** -0.5,
        **{name: (ctypes.c_int64 * 3)(*x.stride()[:3]) for name, x in strides.items() if x is not None},
        **{name: x.data_ptr() for name, x in pointers.items() if x is not None},
    )
    _library(q.dtype).attention(ctypes.byref(problem), int(back))


@lru_cache(maxsize=256)
def _index(field: Field) -> Tensor:
    """() -> int32 (N_query, K): the keys of each query, -1 where it has none."""
    index, valid = field.neighbours()
    return index.masked_fill(~valid, -1).to(torch.int32)


@lru_cache(maxsize=len(DTYPES))
def _library(dtype: torch.dtype) -> ctypes.CDLL:
    source = Path(__file__).with_name("native.cpp")
    compiler = os.environ.get("CXX") or next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        raise OSError("no C++ compiler found; set CXX, or install g++ or clang++")
    # Code for this processor must not be loaded on another that shares the home folder.
    command = [compiler, *_FLAGS, f"-DPRECISION={DTYPES[dtype]}", str(source)]
    key = (source.read_text(), command[:-1], platform.machine(), _processor())
    path = _cache() / f"native-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.so"
    if not path.exists():
        _compile(command, path)
    library = ctypes.CDLL(str(path))
    library.attention.argtypes = [ctypes.POINTER(_Problem), ctypes.c_int]
    library.attention.restype = None
    return library


def _compile(command: list[str], path: Path) -> None:
    """Write the library, with OpenMP where the compiler has it; processes may compile at the same time."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        command = [*command, "-o", str(made)]
        if subprocess.run([*command, "-fopenmp"], capture_output=True, check=False).returncode:
            subprocess.run(command, capture_output=True, text=True, check=True)
        made.replace(path)


def _cache() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vit-vs-cnn"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
