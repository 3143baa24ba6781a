"""The C++ kernel of attention on a CPU: compiling native.cpp, loading it, and calling it on tensors.

The machine's C++ compiler builds it on first use, in about a second. The library is kept in the user's cache
folder, one per machine and precision.

>>> available(torch.int64)
False
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

import torch
from torch import Tensor

DTYPES = {torch.float32: "float", torch.float64: "double", torch.bfloat16: "bfloat16"}
# Sums may be reordered, which vector code needs. -ffast-math would flush denormals in the whole process.
_FLAGS = (
    *("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fopenmp-simd"),
    *("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math"),
)
_SIZES = ("batch", "heads", "queries", "keys", "count", "dim", "value_dim", "threads")
_STRIDES = ("q_strides", "k_strides", "v_strides", "g_strides")
_POINTERS = ("index", "q", "k", "v", "bias", "grad", "out", "weights", "dq", "dk", "dv", "dbias")


@lru_cache(maxsize=len(DTYPES))
def available(dtype: torch.dtype) -> bool:
    """Return whether the kernel compiles and loads here; if it does not, one warning gives the reason."""
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


def run(
    q: Tensor, k: Tensor, v: Tensor, index: Tensor, *, back: bool = False, **others: Tensor | None
) -> None:
    """Call the kernel on (B, N, H, D) tensors, which it reads and writes in place.

    Args:
        index: int32 (N_query, K), the keys of each query, -1 where it has fewer.
        back: run the backward pass.
        others: the other tensors of the pass, named like the pointers of native.cpp's Problem.
    """
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


class _Problem(ctypes.Structure):
    """The arguments of the kernel, in the order of the fields of native.cpp's Problem."""

    _fields_ = (
        *[(name, ctypes.c_int64) for name in _SIZES],
        *[(name, ctypes.c_int64 * 3) for name in _STRIDES],
        ("scale", ctypes.c_double),
        *[(name, ctypes.c_void_p) for name in _POINTERS],
    )


@lru_cache(maxsize=len(DTYPES))
def _library(dtype: torch.dtype) -> ctypes.CDLL:
    source = Path(__file__).with_name("native.cpp")
    compiler = os.environ.get("CXX") or next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        raise OSError("no C++ compiler found; set CXX, or install g++ or clang++")
    # Code for this processor must not be loaded on another one with the same home folder.
    command = [compiler, *_FLAGS, f"-DPRECISION={DTYPES[dtype]}", str(source)]
    key = (source.read_text(), command[:-1], platform.machine(), _processor())
    path = _cache_folder() / f"native-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.so"
    if not path.exists():
        _compile(command, path)
    library = ctypes.CDLL(str(path))
    library.attention.argtypes = [ctypes.POINTER(_Problem), ctypes.c_int]
    library.attention.restype = None
    return library


def _compile(command: list[str], path: Path) -> None:
    """Write the library, with OpenMP if the compiler has it; several processes may compile at once."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        new = Path(folder) / path.name
        command = [*command, "-o", str(new)]
        if subprocess.run([*command, "-fopenmp"], capture_output=True, check=False).returncode:
            subprocess.run(command, capture_output=True, text=True, check=True)
        new.replace(path)


def _cache_folder() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vit-vs-cnn"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
