"""What runs a job on one thread: pass after pass over whatever item nobody has claimed.

A job is an array of int64: how many items were claimed, how many there are, the address of a counter of threads, which
pass, the first thread's scratch memory and how far the next one's lies from it, the addresses of PyTorch's `brgemm` and
its release, and the address of the pass's own arguments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numba import cfunc, types

from adapterkit.digest import sha256_bytes, sha256_file
from adapterkit.training.fused.tiles.attention import attend, attend_backward
from adapterkit.training.fused.tiles.bits import claim, integers, release
from adapterkit.training.fused.tiles.factors import packed, summed
from adapterkit.training.fused.tiles.layer import mlp_backward, mlp_forward, qkv_backward, qkv_forward
from adapterkit.training.fused.tiles.loss import label_losses

PACK, QKV, QKV_BACKWARD, ATTEND, ATTEND_BACKWARD, MLP, MLP_BACKWARD, LABEL_LOSSES, GRADIENTS = range(9)


def _entry(stamp: int) -> Any:
    """What runs a job; numba keeps the compiled code under `stamp`, for it looks at changes of this file alone."""

    @cfunc(types.void(types.CPointer(types.int64)), cache=True)
    def run(job: Any) -> None:
        """Do items of a job until none is left."""
        if stamp < 0:
            return
        f, which, a = job[6], job[3], integers(job[8])
        s = job[4] + claim(integers(job[2])) * job[5]
        while True:
            item = claim(job)
            if item >= job[1]:
                break
            if which == PACK:
                packed(a[0], item)
            elif which == QKV:
                qkv_forward(f, a, item, s)
            elif which == QKV_BACKWARD:
                qkv_backward(f, a, item, s)
            elif which == ATTEND:
                attend(f, a, item, s)
            elif which == ATTEND_BACKWARD:
                attend_backward(f, a, item, s)
            elif which == MLP:
                mlp_forward(f, a, item, s)
            elif which == MLP_BACKWARD:
                mlp_backward(f, a, item, s)
            elif which == LABEL_LOSSES:
                label_losses(f, a, item, s)
            elif which == GRADIENTS:
                summed(a, item)
        release(job[7])

    return run


_files = sorted(Path(__file__).parent.glob("*.py"))
run = _entry(int(sha256_bytes("".join(map(sha256_file, _files)).encode())[:12], 16))
