"""Run compiled passes on the threads that PyTorch computes with.

A pool of threads of one's own would fight with PyTorch's, which wait by spinning. So a pass is handed to PyTorch's
own OpenMP library (GNU's libgomp, `GOMP_parallel`), and each thread claims item after item until none is left. What
is written does not depend on who claims what.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import torch

from adapterkit.training.fused.tiles.pages import empty
from adapterkit.training.fused.tiles.symbols import address, parallel, products

Argument = torch.Tensor | int | float | None
Pass = tuple[Any, ...]

_PASS = 5
_YIELD = ctypes.CDLL(None).sched_yield


class Team:
    """PyTorch's threads, and the scratch memory of each."""

    def __init__(self) -> None:
        """Allocate nothing yet."""
        from adapterkit.training.fused.tiles.entry import run

        start, addresses = parallel(), products()
        assert start is not None
        assert addresses is not None
        self._start, self._addresses, self._run = start, (*addresses, address(_YIELD)), run.address
        self._scratch, self._stride = torch.empty(0, dtype=torch.uint8), 0

    def reserve(self, size: int) -> None:
        """Give every thread so many bytes; pages that nobody touches cost nothing."""
        self._stride = max(self._stride, size // 4096 * 4096 + 8192)
        # The number of threads may have changed since.
        if (needed := torch.get_num_threads() * self._stride + 64) > len(self._scratch):
            self._scratch = empty(needed, dtype=torch.uint8)

    def __call__(self, *passes: Pass) -> None:
        """Run passes one after the other: which, over how many items, and what each takes.

        Tensors are given as addresses, floats as their bits.
        """
        own = [(ctypes.c_int64 * len(taken))(*map(number, taken)) for _, _, *taken in passes]
        table = [0] * (_PASS * len(passes))
        table[1::_PASS], table[3::_PASS] = [items for _, items, *_ in passes], [which for which, *_ in passes]
        table[4::_PASS] = map(ctypes.addressof, own)
        held, slots = (ctypes.c_int64 * len(table))(*table), ctypes.c_int64(0)
        scratch = (self._scratch.data_ptr() + 63) // 64 * 64
        job = (ctypes.c_int64 * 8)(
            *self._addresses,
            scratch,
            self._stride,
            ctypes.addressof(slots),
            len(passes),
            ctypes.addressof(held),
        )
        self._start(self._run, ctypes.addressof(job))


def number(argument: Argument) -> int:
    """An address, a number, or the bits of a float32."""
    if isinstance(argument, torch.Tensor):
        assert argument.is_contiguous()
        return argument.data_ptr()
    if isinstance(argument, float):
        return int.from_bytes(struct.pack("<f", argument), "little")
    return argument or 0
