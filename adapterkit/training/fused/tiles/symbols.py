"""What PyTorch's own libraries offer to compiled code: its threads, and its products of bfloat16 blocks."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path

import torch

_BFLOAT16 = 15
_NAMES = {
    "product": "_ZN2at6native7cpublas6brgemmEllllllbPKN3c108BFloat16ES5_Pfb",
    "release": "_ZN2at6native7cpublas14brgemm_releaseEb",
    "known": "_ZN2at6native7cpublas10could_packEN3c1010ScalarTypeE",
}


@functools.cache
def parallel() -> Callable[[int, int], None] | None:
    """What calls `f(data)` on all of PyTorch's threads, given both addresses; null where PyTorch uses no libgomp."""
    home = Path(torch.__file__).parent
    for found in (*home.glob("lib/libgomp*"), *home.parent.glob("torch.libs/libgomp*")):
        start = ctypes.CDLL(str(found)).GOMP_parallel
        start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        start.restype = None
        return lambda function, data: start(function, data, torch.get_num_threads(), 0)
    return None


@functools.cache
def products() -> tuple[int, int] | None:
    """Addresses of PyTorch's product of bfloat16 blocks (`brgemm`) and of its release; null where it has none here."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        found = ctypes.CDLL(str(library))
        product, release, known = (getattr(found, _NAMES[name]) for name in ("product", "release", "known"))
    except (OSError, AttributeError):
        return None
    known.restype, known.argtypes = ctypes.c_bool, [ctypes.c_int8]
    if not known(_BFLOAT16):
        return None
    return address(product), address(release)


def address(function: object) -> int:
    """Where a function of a library stands; 0 for none."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
