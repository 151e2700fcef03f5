"""What runs a job on one thread: pass after pass, and in each whatever item nobody has claimed.

A job is an array of int64: the addresses of PyTorch's `brgemm`, of its release and of `sched_yield`, the first thread's
scratch memory and how far the next one's lies from it, a counter of threads, how many passes there are, and the address
of the first. A pass is five: how many items were claimed, how many there are, how many are done, which pass, and the
address of its own arguments. No pass begins before the one before it has ended.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numba import cfunc, types

from adapterkit.digest import sha256_bytes, sha256_file
from adapterkit.training.fused.tiles.attention import attend, attend_backward
from adapterkit.training.fused.tiles.bits import call, claim, finished, integers, release, rest, seen
from adapterkit.training.fused.tiles.factors import packed, summed
from adapterkit.training.fused.tiles.layer import mlp_backward, mlp_forward, qkv_backward, qkv_forward
from adapterkit.training.fused.tiles.loss import label_losses
from adapterkit.training.fused.tiles.rows import compiled
from adapterkit.training.fused.tiles.symbols import products

PACK, QKV, QKV_BACKWARD, ATTEND, ATTEND_BACKWARD, MLP, MLP_BACKWARD, LABEL_LOSSES, GRADIENTS = range(9)
PASS = 5
# Some tenths of a millisecond.
PATIENCE = 10_000


@compiled
def _chunk(f: Any, which: Any, a: Any, item: Any, s: Any) -> None:
    """All blocks of one chunk of tokens, one after the other."""
    edges = integers(a[0])
    each = edges[0]
    for block in range(each):
        t = edges[1 + item * each + block]
        m, add = edges[2 + item * each + block] - t, 1 if block else 0
        if which == QKV:
            qkv_forward(f, a, t, m, s)
        elif which == QKV_BACKWARD:
            qkv_backward(f, a, item, t, m, add, s)
        elif which == MLP:
            mlp_forward(f, a, t, m, s)
        elif which == MLP_BACKWARD:
            mlp_backward(f, a, item, t, m, add, s)
        elif which == LABEL_LOSSES:
            label_losses(f, a, t, m, s)


@compiled
def _item(f: Any, which: Any, a: Any, item: Any, s: Any) -> None:
    if which == PACK:
        packed(a[0], item)
    elif which == ATTEND:
        attend(f, a, item, s)
    elif which == ATTEND_BACKWARD:
        attend_backward(f, a, item, s)
    elif which == GRADIENTS:
        summed(a, item)
    else:
        _chunk(f, which, a, item, s)


@compiled
def _await(done: Any, items: Any, give_way: Any) -> None:
    """Wait for the other threads; where there are more of them than processors, let them have this one."""
    spins = 0
    while seen(done) < items:
        rest()
        spins += 1
        if spins > PATIENCE:
            call(give_way)


def _entry(stamp: int) -> Any:
    """What runs a job; numba keeps the compiled code under `stamp`, for it looks at changes of this file alone."""

    @cfunc(types.void(types.CPointer(types.int64)), cache=True)
    def run(job: Any) -> None:
        """Do items of all passes until none is left."""
        if stamp < 0:
            return
        s = job[3] + claim(integers(job[5])) * job[4]
        for number in range(job[6]):
            at = job[7] + 8 * PASS * number
            own = integers(at)
            while True:
                item = claim(own)
                if item >= own[1]:
                    break
                _item(job[0], own[3], integers(own[4]), item, s)
                finished(integers(at + 16))
            _await(integers(at + 16), own[1], job[2])
        release(job[1])

    return run


if products() is None:
    # LLVM would end the whole process over instructions that the processor does not have.
    raise ImportError("the compiled passes need a processor with a matrix unit (AMX)")
_files = sorted(Path(__file__).parent.glob("*.py"))
run = _entry(int(sha256_bytes("".join(map(sha256_file, _files)).encode())[:12], 16))
